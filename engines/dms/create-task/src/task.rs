//! The task, made but not started.

use pgleap_contract::steps::{CreateTaskInput, NoOutput};
use pgleap_dms::{Dms, Memory, NewTask, Status};
use pgleap_step_kit::prelude::*;

use crate::{mapping, settings};

/// ARNs of what the task runs on and between.
pub(crate) struct Ends {
    pub(crate) instance: String,
    pub(crate) source: String,
    pub(crate) target: String,
}

/// Make the task if it does not exist. One that has been started already is past this step.
pub(crate) async fn ensure(dms: &Dms, input: &CreateTaskInput, ends: &Ends) -> StepResult<Polled<NoOutput>> {
    let name = input.run.names().task();
    let Some(found) = dms.current_task(&input.run.names()).await? else {
        return create(dms, input, ends, &name).await;
    };
    match found.status {
        Status::Ready | Status::Running | Status::Stopped => Ok(Polled::Done(NoOutput {})),
        Status::Passing(status) => Ok(Polled::Waiting(format!("task {name} is {status}"))),
        Status::Deleting => Ok(Polled::Waiting(format!("task {name} is being deleted"))),
        Status::Failed => {
            Err(StepError::new(ErrorCode::ReplicationFailed, format!("create task {name}: {}", found.words())))
        }
    }
}

async fn create(dms: &Dms, input: &CreateTaskInput, ends: &Ends, name: &str) -> StepResult<Polled<NoOutput>> {
    let new = NewTask {
        name,
        instance_arn: &ends.instance,
        endpoint_arns: [&ends.source, &ends.target],
        mapping: mapping::table_mappings(&input.selection).to_string(),
        settings: settings::task_settings().to_string(),
        memory: Memory::default(),
    };
    match dms.create_task(&input.run, new).await {
        Err(error) if !error.is(Class::AlreadyThere) => Err(error.into()),
        _made_or_there => Ok(Polled::Waiting(format!("task {name} is being created"))),
    }
}
