//! What is done to a task between two runs of it: stop it, give it another mapping and other settings.

use aws_sdk_databasemigration::Client;
use aws_sdk_databasemigration::types::ReplicationTask;
use pgleap_step_kit::StepResult;
use pgleap_step_kit::aws::{Class, Doing};

use crate::{Mapping, Settings};

/// Stop it. Answers what is waited for; a task that has just ended by itself is looked at again.
pub async fn stop(client: &Client, task: &ReplicationTask) -> StepResult<String> {
    let (name, arn) = names(task)?;
    match client.stop_replication_task().replication_task_arn(arn).send().await.doing(format!("stop task {name}")) {
        Err(error) if !error.is(Class::WrongState) => Err(error.into()),
        _asked => Ok(format!("task {name} stops")),
    }
}

/// Change mapping and settings. Answers what is waited for.
pub async fn change(
    client: &Client,
    task: &ReplicationTask,
    mapping: &Mapping,
    settings: &Settings,
) -> StepResult<String> {
    let (name, arn) = names(task)?;
    let answer = client
        .modify_replication_task()
        .replication_task_arn(arn)
        .table_mappings(mapping.text())
        .replication_task_settings(settings.text())
        .send()
        .await;
    match answer.doing(format!("change task {name}")) {
        Err(error) if !error.is(Class::WrongState) => Err(error.into()),
        _asked => Ok(format!("task {name} is changed")),
    }
}

fn names(task: &ReplicationTask) -> StepResult<(&str, &str)> {
    Ok((task.replication_task_identifier().unwrap_or_default(), crate::find::task_arn(task)?))
}
