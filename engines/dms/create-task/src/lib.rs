//! Create the task: create the target's endpoint, prove that the replication instance reaches both sides, and create a
//! task that is ready.
//!
//! Changes:      DMS (the target's endpoint, the task, named after the run and tagged)
//! Repeatable:   yes; everything is looked up by its name first, and what is there stays
//! If it dies:   what was asked for goes on being made; the next look finds it

mod mapping;
mod settings;
mod task;

use pgleap_contract::steps::{CreateTaskInput, NoOutput};
use pgleap_dms::{Dms, FailedTest, Instance, Route, Side, Tests, WantedEndpoint};
use pgleap_step_kit::prelude::*;

/// One look, with the role by which DMS reads the run's secrets from the environment.
pub async fn run(ctx: &Ctx, input: CreateTaskInput) -> StepResult<Polled<NoOutput>> {
    run_with(ctx, input, &pgleap_dms::secret_role()?).await
}

/// The source was tested before the snapshot. It is looked at once more, because DMS forgets.
pub async fn run_with(ctx: &Ctx, input: CreateTaskInput, secret_role: &str) -> StepResult<Polled<NoOutput>> {
    let dms = Dms::new(ctx);
    let names = input.run.names();

    let target = dms.ensure_endpoint(&input.run, &endpoint(&input, secret_role)).await?;
    let source = dms.endpoint(&names.source_endpoint()).await?;
    let source = source.ok_or_else(|| gone(&names.source_endpoint()))?.arn()?.to_owned();
    let name = names.replication_instance();
    let found = dms.instance(&name).await?.ok_or_else(|| gone(&name))?;
    let (instance, address) = match dms.look_at_instance(&found).await? {
        Instance::Available { arn, address } => (arn, address),
        Instance::Passing { status } => {
            return Ok(Polled::Waiting(format!("the replication instance is {status}")));
        }
    };
    match dms.tests(&instance, &[&source, &target]).await? {
        Tests::Good => task::ensure(&dms, &input, &task::Ends { instance, source, target }).await,
        Tests::Testing(names) => Ok(Polled::Waiting(format!("DMS is testing the connections: {names}"))),
        Tests::Failed(failed) => Err(explained(&input, address, &failed)),
    }
}

/// Under the replica role neither foreign keys nor ordinary triggers act on what DMS writes; where the login may not set it,
/// empty-target has set both aside.
fn endpoint<'a>(input: &'a CreateTaskInput, secret_role: &'a str) -> WantedEndpoint<'a> {
    let names = input.run.names();
    let after_connect = input.selection.replica_role.then(|| "SET session_replication_role='replica'".to_owned());
    WantedEndpoint {
        name: names.target_endpoint(),
        side: Side::Target { after_connect },
        database: &input.source.database,
        secret: names.copy_target_secret(),
        secret_role,
    }
}

fn gone(name: &str) -> StepError {
    let message = format!("create the task: {name}, which the run created before the snapshot, no longer exists");
    StepError::new(ErrorCode::ReplicationFailed, message)
}

/// The failures as an error that says what to do.
fn explained(input: &CreateTaskInput, address: Option<String>, failed: &[FailedTest]) -> StepError {
    let names = input.run.names();
    pgleap_dms::explained(failed, |endpoint| {
        let behind = if endpoint == names.target_endpoint() { &input.target } else { &input.source };
        Route {
            instance: format!("replication instance {}", names.replication_instance()),
            address: address.clone(),
            host: behind.host.clone(),
            port: behind.port,
            security_group: input.way.security_group_ids.first().cloned(),
        }
    })
}
