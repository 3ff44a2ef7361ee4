//! Remove what the run made in DMS: task, endpoints, replication instance, subnet group, in the order that DMS asks for.
//!
//! Changes:      DMS (the run's objects go), source (the task's slot goes with the task)
//! Repeatable:   yes; what is gone stays gone, what goes is waited for
//! If it dies:   DMS goes on deleting; the next look sees what is left
//!
//! Found by the names derived from the run's id, which nothing else has. The task goes first, because its slot holds
//! WAL on the source. A slot or a control table that DMS leaves behind is for clean-databases to remove.

use aws_sdk_databasemigration::Client;
use aws_sdk_databasemigration::types::ReplicationTask;
use pgleap_contract::Names;
use pgleap_contract::steps::{NoOutput, RunOnly};
use pgleap_dms::Status;
use pgleap_step_kit::prelude::*;

/// One look: everything that can go now is told to go.
pub async fn run(ctx: &Ctx, input: RunOnly) -> StepResult<Polled<NoOutput>> {
    let dms = Client::new(ctx.aws());
    let names = input.run.id.names();

    let tasks = pgleap_dms::tasks(&dms, &names).await?;
    if !tasks.is_empty() {
        let mut waiting_for = Vec::new();
        for task in &tasks {
            waiting_for.push(remove_task(&dms, task).await?);
        }
        return Ok(Polled::Waiting(waiting_for.join(", ")));
    }
    let left = [
        remove_endpoint(&dms, &names.source_endpoint()).await?,
        remove_endpoint(&dms, &names.target_endpoint()).await?,
        remove_instance(&dms, &names).await?,
    ];
    let left: Vec<String> = left.into_iter().flatten().collect();
    if left.is_empty() { Ok(Polled::Done(NoOutput {})) } else { Ok(Polled::Waiting(left.join(", "))) }
}

/// Answers what is waited for.
async fn remove_task(dms: &Client, task: &ReplicationTask) -> StepResult<String> {
    let name = task.replication_task_identifier().unwrap_or_default();
    let arn = pgleap_dms::task_arn(task)?;
    let asked = match decide(task) {
        Verdict::Wait(status) => return Ok(format!("task {name} is {status}")),
        Verdict::Stop => {
            let answer = dms.stop_replication_task().replication_task_arn(arn).send().await;
            answer.doing(format!("stop task {name}")).map(|_| "stops")
        }
        Verdict::Delete => {
            let answer = dms.delete_replication_task().replication_task_arn(arn).send().await;
            answer.doing(format!("delete task {name}")).map(|_| "is being deleted")
        }
    };
    Ok(format!("task {name} {}", asked_for(asked)?))
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Wait(String),
    Stop,
    Delete,
}

fn decide(task: &ReplicationTask) -> Verdict {
    match Status::of(task) {
        Status::Running => Verdict::Stop,
        Status::Ready | Status::Stopped | Status::Failed => Verdict::Delete,
        // While a task moves, only a delete is allowed.
        Status::Passing(status) if status == "moving" => Verdict::Delete,
        Status::Passing(status) => Verdict::Wait(status),
        Status::Deleting => Verdict::Wait("being deleted".to_owned()),
    }
}

async fn remove_endpoint(dms: &Client, name: &str) -> StepResult<Option<String>> {
    let Some(endpoint) = pgleap_dms::endpoint(dms, name).await? else { return Ok(None) };
    if endpoint.status() != Some("deleting") {
        let arn = pgleap_step_kit::arn("an endpoint", endpoint.endpoint_arn())?;
        let answer = dms.delete_endpoint().endpoint_arn(arn).send().await;
        asked_for(answer.doing(format!("delete endpoint {name}")).map(|_| ""))?;
    }
    Ok(Some(format!("endpoint {name} is being deleted")))
}

/// Instance, then its subnet group, which DMS keeps as long as an instance is in it.
async fn remove_instance(dms: &Client, names: &Names<'_>) -> StepResult<Option<String>> {
    let name = names.replication_instance();
    let Some(instance) = pgleap_dms::instance(dms, &name).await? else {
        return remove_subnet_group(dms, &names.replication_subnet_group()).await;
    };
    let status = instance.replication_instance_status().unwrap_or("unknown");
    if status == "deleting" {
        return Ok(Some(format!("replication instance {name} is being deleted")));
    }
    let arn = pgleap_step_kit::arn("the replication instance", instance.replication_instance_arn())?;
    let answer = dms.delete_replication_instance().replication_instance_arn(arn).send().await;
    let asked = answer.doing(format!("delete replication instance {name}")).map(|_| "is being deleted");
    Ok(Some(format!("replication instance {name} {}", asked_for(asked)?)))
}

async fn remove_subnet_group(dms: &Client, name: &str) -> StepResult<Option<String>> {
    if pgleap_dms::subnet_group(dms, name).await?.is_none() {
        return Ok(None);
    }
    let answer = dms.delete_replication_subnet_group().replication_subnet_group_identifier(name).send().await;
    match answer.doing(format!("delete replication subnet group {name}")) {
        Ok(_gone) => Ok(None),
        Err(error) => asked_for(Err(error)).map(|said| Some(format!("replication subnet group {name} {said}"))),
    }
}

/// Something in the way passes by itself (a connection under test, an instance in the making): say it and look again.
/// Gone already is as good as going.
fn asked_for(answer: Result<&'static str, AwsError>) -> StepResult<String> {
    match answer {
        Ok(said) => Ok(said.to_owned()),
        Err(error) if error.is(Class::NotFound) => Ok("is gone".to_owned()),
        Err(error) if error.is(Class::WrongState) => Ok(format!("cannot go yet: {}", error.message)),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_running_task_is_stopped_before_it_is_deleted() {
        let cases = [
            ("running", Verdict::Stop),
            ("ready", Verdict::Delete),
            ("stopped", Verdict::Delete),
            ("failed", Verdict::Delete),
            ("failed-move", Verdict::Delete),
            ("moving", Verdict::Delete),
            ("creating", Verdict::Wait("creating".to_owned())),
            ("starting", Verdict::Wait("starting".to_owned())),
            ("stopping", Verdict::Wait("stopping".to_owned())),
            ("deleting", Verdict::Wait("being deleted".to_owned())),
        ];
        for (status, expected) in cases {
            assert_eq!(decide(&ReplicationTask::builder().status(status).build()), expected, "{status}");
        }
    }
}
