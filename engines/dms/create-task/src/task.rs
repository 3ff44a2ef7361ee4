//! The task, made but not started.

use aws_sdk_databasemigration::Client;
use aws_sdk_databasemigration::types::MigrationTypeValue;
use pgleap_contract::steps::{CreateTaskInput, NoOutput};
use pgleap_dms::Status;
use pgleap_step_kit::prelude::*;

use crate::{mapping, settings};

/// ARNs of what the task runs on and between.
pub(crate) struct Ends {
    pub(crate) instance: String,
    pub(crate) source: String,
    pub(crate) target: String,
}

/// Make the task if it does not exist. One that has been started already is past this step.
pub(crate) async fn ensure(dms: &Client, input: &CreateTaskInput, ends: &Ends) -> StepResult<Polled<NoOutput>> {
    let name = input.run.id.names().task();
    let Some(found) = pgleap_dms::current_task(dms, &input.run.id.names()).await? else {
        return create(dms, input, ends, &name).await;
    };
    match Status::of(&found) {
        Status::Ready | Status::Running | Status::Stopped => Ok(Polled::Done(NoOutput {})),
        Status::Passing(status) => Ok(Polled::Waiting(format!("task {name} is {status}"))),
        Status::Deleting => Ok(Polled::Waiting(format!("task {name} is being deleted"))),
        Status::Failed => {
            let reason = pgleap_dms::words(&found);
            Err(StepError::new(ErrorCode::ReplicationFailed, format!("create task {name}: {reason}")))
        }
    }
}

async fn create(dms: &Client, input: &CreateTaskInput, ends: &Ends, name: &str) -> StepResult<Polled<NoOutput>> {
    let answer = dms
        .create_replication_task()
        .replication_task_identifier(name)
        .resource_identifier(input.run.id.names().task_resource_id(name))
        .replication_instance_arn(&ends.instance)
        .source_endpoint_arn(&ends.source)
        .target_endpoint_arn(&ends.target)
        .migration_type(MigrationTypeValue::FullLoadAndCdc)
        .table_mappings(mapping::table_mappings(&input.selection).to_string())
        .replication_task_settings(settings::task_settings().to_string())
        .tags(pgleap_dms::tag(&input.run.id))
        .send()
        .await;
    match answer.doing(format!("create task {name}")) {
        Err(error) if !error.is(Class::AlreadyThere) => Err(error.into()),
        _made_or_there => Ok(Polled::Waiting(format!("task {name} is creating"))),
    }
}
