//! Remove what the run created in DMS: the task, the endpoints, the replication instance and the subnet group, in the
//! order that DMS requires.
//!
//! Changes:      DMS (the run's objects go), source (the task's slot goes with the task)
//! Repeatable:   yes; what is gone stays gone, what goes is waited for
//! If it dies:   DMS goes on deleting; the next look sees what is left
//!
//! Found by the names derived from the run's id, which nothing else has. The task goes first, because its slot holds
//! WAL on the source. A slot or a control table that DMS leaves behind is for clean-databases to remove.

use pgleap_contract::Names;
use pgleap_contract::steps::{NoOutput, RunOnly};
use pgleap_dms::{Dms, Status, Task};
use pgleap_step_kit::prelude::*;

/// One look: everything that can go now is told to go.
pub async fn run(ctx: &Ctx, input: RunOnly) -> StepResult<Polled<NoOutput>> {
    let dms = Dms::new(ctx);
    let names = input.run.names();

    let tasks = dms.tasks(&names).await?;
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
async fn remove_task(dms: &Dms, task: &Task) -> StepResult<String> {
    let name = &task.name;
    let asked = match decide(&task.status) {
        Verdict::Wait(status) => return Ok(format!("task {name} is {status}")),
        Verdict::Stop => dms.stop_task(task).await.map(|()| "is stopping"),
        Verdict::Delete => dms.delete_task(task).await.map(|()| "is being deleted"),
    };
    Ok(format!("task {name} {}", asked_for(asked)?))
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Wait(String),
    Stop,
    Delete,
}

fn decide(status: &Status) -> Verdict {
    match status {
        Status::Running => Verdict::Stop,
        Status::Ready | Status::Stopped | Status::Failed => Verdict::Delete,
        // While a task moves, only a delete is allowed.
        Status::Passing(status) if status == "moving" => Verdict::Delete,
        Status::Passing(status) => Verdict::Wait(status.clone()),
        Status::Deleting => Verdict::Wait("being deleted".to_owned()),
    }
}

async fn remove_endpoint(dms: &Dms, name: &str) -> StepResult<Option<String>> {
    let Some(endpoint) = dms.endpoint(name).await? else { return Ok(None) };
    if !endpoint.is_being_deleted {
        asked_for(dms.delete_endpoint(name, endpoint.arn()?).await.map(|()| ""))?;
    }
    Ok(Some(format!("endpoint {name} is being deleted")))
}

/// Instance, then its subnet group, which DMS keeps as long as an instance is in it.
async fn remove_instance(dms: &Dms, names: &Names<'_>) -> StepResult<Option<String>> {
    let name = names.replication_instance();
    let Some(instance) = dms.instance(&name).await? else {
        return remove_subnet_group(dms, &names.replication_subnet_group()).await;
    };
    if instance.status == "deleting" {
        return Ok(Some(format!("replication instance {name} is being deleted")));
    }
    let asked = dms.delete_instance(&name, instance.arn()?).await.map(|()| "is being deleted");
    Ok(Some(format!("replication instance {name} {}", asked_for(asked)?)))
}

async fn remove_subnet_group(dms: &Dms, name: &str) -> StepResult<Option<String>> {
    if !dms.has_subnet_group(name).await? {
        return Ok(None);
    }
    match dms.delete_subnet_group(name).await {
        Ok(()) => Ok(None),
        Err(error) => asked_for(Err(error)).map(|said| Some(format!("replication subnet group {name} {said}"))),
    }
}

/// Something in the way passes by itself (a connection under test, an instance in the making): say it and look again.
/// Gone already is as good as going.
fn asked_for(answer: Result<&'static str, AwsError>) -> StepResult<String> {
    match answer {
        Ok(said) => Ok(said.to_owned()),
        Err(error) if error.is(Class::NotFound) => Ok("no longer exists".to_owned()),
        Err(error) if error.is(Class::WrongState) => Ok(format!("cannot be deleted yet: {}", error.message)),
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
            assert_eq!(decide(&Status::read(status)), expected, "{status}");
        }
    }
}
