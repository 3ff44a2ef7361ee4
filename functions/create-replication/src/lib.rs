//! Make what DMS needs to copy: subnet group, replication instance, two tested endpoints, and a task that is ready.
//!
//! Changes:      DMS (subnet group, replication instance, endpoints, task, all named after the run and tagged)
//! Repeatable:   yes; everything is looked up by its name first, and what is there stays
//! If it dies:   what was asked for goes on being made; the next look finds it

mod endpoints;
mod instance;
mod mapping;
mod network;
mod settings;
mod task;

use aws_sdk_databasemigration::Client;
use pgleap_contract::steps::{CreateReplicationInput, CreateReplicationOutput, NoOutput};
use pgleap_dms::Tests;
use pgleap_step_kit::prelude::*;

/// One look, with the role by which DMS reads the run's secrets from the environment.
pub async fn run(ctx: &Ctx, input: CreateReplicationInput) -> StepResult<Polled<CreateReplicationOutput>> {
    let secret_role = std::env::var("PGLEAP_DMS_SECRET_ROLE_ARN")
        .map_err(|_| StepError::bug("read environment: PGLEAP_DMS_SECRET_ROLE_ARN is not set"))?;
    run_with(ctx, input, &secret_role).await
}

/// Everything that can be made without waiting is made in the first look: the endpoints do not need the instance.
pub async fn run_with(
    ctx: &Ctx,
    input: CreateReplicationInput,
    secret_role: &str,
) -> StepResult<Polled<CreateReplicationOutput>> {
    let dms = Client::new(ctx.aws());

    instance::ensure_subnet_group(&dms, &input).await?;
    let instance = instance::ensure(&dms, &input).await?;
    let source = endpoints::ensure_source(&dms, &input, secret_role).await?;
    let target = endpoints::ensure_target(&dms, &input, secret_role).await?;
    let (instance_arn, address) = match instance {
        instance::Instance::Available { arn, address } => (arn, address),
        instance::Instance::Passing { status } => {
            return Ok(Polled::Waiting(format!("replication instance is {status}")));
        }
    };
    match pgleap_dms::tests(&dms, &instance_arn, &[&source, &target]).await? {
        Tests::Good => {
            let task = task::ensure(&dms, &input, &task::Ends { instance: instance_arn, source, target }).await?;
            Ok(task.map(|NoOutput {}| CreateReplicationOutput { missing_rule: None }))
        }
        Tests::Testing(names) => Ok(Polled::Waiting(format!("connections are tested: {names}"))),
        Tests::Failed(failed) => match network::missing_rule(&input, address.as_deref(), &failed) {
            Some(rule) => {
                tracing::warn!(?rule, "DMS gets no answer: an inbound rule is missing");
                Ok(Polled::Done(CreateReplicationOutput { missing_rule: Some(rule) }))
            }
            None => Err(network::explained(&input, address, &failed)),
        },
    }
}
