//! Prepare the replication before the run pays for a snapshot: create the subnet group, the replication instance and
//! the source's endpoint, and prove that the instance reaches the source.
//!
//! Changes:      DMS (subnet group, replication instance, the source's endpoint, all named after the run and tagged)
//! Repeatable:   yes; everything is looked up by its name first, and what is there stays
//! If it dies:   what was asked for goes on being made; the next look finds it

mod instance;
mod network;
mod place;

use pgleap_contract::steps::{PrepareReplicationInput, PrepareReplicationOutput};
use pgleap_dms::{Dms, Instance, Side, Tests, WantedEndpoint};
use pgleap_step_kit::prelude::*;

pub use place::Place;

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
    let dms = Dms::new(ctx);
    let place = Place::chosen(&input, stack);

    instance::ensure_subnet_group(&dms, &input, &place).await?;
    let instance = instance::ensure(&dms, &input, &place).await?;
    let source = dms.ensure_endpoint(&input.run, &endpoint(&input, secret_role)).await?;
    let (instance_arn, address) = match instance {
        Instance::Available { arn, address } => (arn, address),
        Instance::Passing { status } => {
            return Ok(Polled::Waiting(format!("the replication instance is {status}")));
        }
    };
    match dms.tests(&instance_arn, &[&source]).await? {
        Tests::Good => Ok(Polled::Done(PrepareReplicationOutput { missing_rule: None })),
        Tests::Testing(names) => Ok(Polled::Waiting(format!("DMS is testing the connections: {names}"))),
        Tests::Failed(failed) => match network::missing_rule(&input, address.as_deref(), &failed) {
            Some(rule) => {
                tracing::warn!(?rule, "DMS cannot connect: an inbound rule is missing");
                Ok(Polled::Done(PrepareReplicationOutput { missing_rule: Some(rule) }))
            }
            None => Err(network::explained(&input, address, &failed)),
        },
    }
}

fn endpoint<'a>(input: &'a PrepareReplicationInput, secret_role: &'a str) -> WantedEndpoint<'a> {
    let names = input.run.names();
    WantedEndpoint {
        name: names.source_endpoint(),
        side: Side::Source,
        database: &input.source.database,
        secret: names.copy_source_secret(),
        secret_role,
    }
}
