//! Prepare the replication before the snapshot is paid for: subnet group, replication instance, the source's endpoint, and the
//! proof that the instance reaches the source.
//!
//! Changes:      DMS (subnet group, replication instance, the source's endpoint, all named after the run and tagged)
//! Repeatable:   yes; everything is looked up by its name first, and what is there stays
//! If it dies:   what was asked for goes on being made; the next look finds it

mod instance;
mod network;
mod place;

use aws_sdk_databasemigration::Client;
use aws_sdk_databasemigration::types::{PluginNameValue, ReplicationEndpointTypeValue};
use pgleap_contract::steps::{PrepareReplicationInput, PrepareReplicationOutput};
use pgleap_dms::{Instance, Tests, WantedEndpoint};
use pgleap_step_kit::prelude::*;

pub use place::Place;

/// varchar without a length is cut here, in bytes. Preflight refuses longer values than 8,000 characters, of at most four bytes
/// each. DMS takes memory for the whole length, in each of the rows that it holds, so more would cost and serve nothing (AWS
/// documentation, PostgreSQL as a source for DMS; estimates of memory).
const ATTRIBUTES: &str = "unboundedVarcharMaxSize=32000";

/// One look, with the role by which DMS reads the run's secrets, and the functions' place, from the environment.
pub async fn run(ctx: &Ctx, input: PrepareReplicationInput) -> StepResult<Polled<PrepareReplicationOutput>> {
    run_with(ctx, input, &pgleap_dms::secret_role()?, &Place::of_stack()?).await
}

/// Everything that can be made without waiting is made in the first look: the endpoint does not need the instance.
pub async fn run_with(
    ctx: &Ctx,
    input: PrepareReplicationInput,
    secret_role: &str,
    stack: &Place,
) -> StepResult<Polled<PrepareReplicationOutput>> {
    let dms = Client::new(ctx.aws());
    let place = Place::chosen(&input, stack);

    instance::ensure_subnet_group(&dms, &input, &place).await?;
    let instance = instance::ensure(&dms, &input, &place).await?;
    let source = pgleap_dms::ensure_endpoint(&dms, &input.run, endpoint(&input, secret_role)).await?;
    let (instance_arn, address) = match instance {
        Instance::Available { arn, address } => (arn, address),
        Instance::Passing { status } => {
            return Ok(Polled::Waiting(format!("replication instance is {status}")));
        }
    };
    match pgleap_dms::tests(&dms, &instance_arn, &[&source]).await? {
        Tests::Good => Ok(Polled::Done(PrepareReplicationOutput { missing_rule: None })),
        Tests::Testing(names) => Ok(Polled::Waiting(format!("connections are tested: {names}"))),
        Tests::Failed(failed) => match network::missing_rule(&input, address.as_deref(), &failed) {
            Some(rule) => {
                tracing::warn!(?rule, "DMS gets no answer: an inbound rule is missing");
                Ok(Polled::Done(PrepareReplicationOutput { missing_rule: Some(rule) }))
            }
            None => Err(network::explained(&input, address, &failed)),
        },
    }
}

fn endpoint(input: &PrepareReplicationInput, secret_role: &str) -> WantedEndpoint {
    let names = input.run.id.names();
    let settings = pgleap_dms::endpoint_settings(&input.source.database, secret_role)
        .secrets_manager_secret_id(names.copy_source_secret())
        .plugin_name(PluginNameValue::TestDecoding)
        .capture_ddls(false)
        .heartbeat_enable(false)
        .fail_tasks_on_lob_truncation(true)
        .trim_space_in_char(false)
        .build();
    WantedEndpoint {
        name: names.source_endpoint(),
        side: ReplicationEndpointTypeValue::Source,
        attributes: Some(ATTRIBUTES),
        settings,
    }
}
