//! Let the task go on after the load: from where it stopped, over the indexes that were built meanwhile.
//!
//! Changes:      DMS (the task runs again), target (the changes that DMS applies)
//! Repeatable:   yes; a running task is left alone
//! Undo:         remove-replication
//! If it dies:   the task starts by itself; the next look sees it run
//! Fails with:   ReplicationFailed, TablesInError, AccessDenied (final), Throttled, ServiceUnavailable (retried)
//!
//! Only a task that stopped after its cached changes is resumed. One that failed in between is not: what is resumed
//! must be known to be whole.

use aws_sdk_databasemigration::Client;
use aws_sdk_databasemigration::types::{ReplicationTask, StartReplicationTaskTypeValue};
use pgleap_contract::steps::{Look, RunOnly};
use pgleap_dms::{Ending, Status};
use pgleap_step_kit::prelude::*;

/// One look; done once the task runs without a table in error.
pub async fn run(ctx: &Ctx, input: RunOnly) -> StepResult<Look> {
    let dms = Client::new(ctx.aws());
    let names = input.run.id.names();
    let task =
        pgleap_dms::current_task(&dms, &names).await?.ok_or_else(|| failed(&names.task(), "it does not exist"))?;
    let name = task.replication_task_identifier().unwrap_or_default();
    let arn = task.replication_task_arn().unwrap_or_default();

    match decide(&task) {
        Verdict::Done => Ok(Look::done()),
        Verdict::Wait(status) => Ok(Look::waiting(format!("task {name} is {status}"))),
        Verdict::Resume => resume(&dms, name, arn).await,
        Verdict::Fail(reason) => Err(failed(name, &reason)),
        Verdict::NameTables => {
            let problems = pgleap_dms::table_problems(&dms, arn).await?;
            Err(StepError::new(ErrorCode::TablesInError, format!("resume task {name}: {problems}")))
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Done,
    Wait(String),
    Resume,
    NameTables,
    Fail(String),
}

fn decide(task: &ReplicationTask) -> Verdict {
    let errored = task.replication_task_stats().is_some_and(|stats| stats.tables_errored > 0);
    match Status::of(task) {
        Status::Passing(status) => Verdict::Wait(status),
        Status::Running | Status::Stopped if errored => Verdict::NameTables,
        Status::Running => Verdict::Done,
        Status::Stopped if pgleap_dms::ending(task) == Ending::CachedChangesApplied => Verdict::Resume,
        Status::Stopped | Status::Failed => Verdict::Fail(pgleap_dms::words(task)),
        Status::Ready => Verdict::Fail("it was never started".to_owned()),
        Status::Deleting => Verdict::Fail("somebody deletes it".to_owned()),
    }
}

async fn resume(dms: &Client, name: &str, arn: &str) -> StepResult<Look> {
    let answer = dms
        .start_replication_task()
        .replication_task_arn(arn)
        .start_replication_task_type(StartReplicationTaskTypeValue::ResumeProcessing)
        .send()
        .await;
    match answer.doing(format!("resume task {name}")) {
        Ok(_started) => Ok(Look::waiting(format!("task {name} resumes"))),
        // A resumption whose answer was lost.
        Err(error) if error.is(Class::WrongState) => Ok(Look::waiting(format!("task {name}: {}", error.message))),
        Err(error) => Err(error.into()),
    }
}

fn failed(name: &str, reason: &str) -> StepError {
    StepError::new(ErrorCode::ReplicationFailed, format!("resume task {name}: {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_databasemigration::types::ReplicationTaskStats;

    #[test]
    fn only_a_task_that_stopped_whole_is_resumed() {
        let cases = [
            ("running", "", 0, "done"),
            ("running", "", 1, "name"),
            ("starting", "", 0, "wait"),
            ("stopping", "", 0, "wait"),
            ("stopped", "Stop Reason STOPPED_AFTER_CACHED_EVENTS", 0, "resume"),
            ("stopped", "Stop Reason STOPPED_AFTER_CACHED_EVENTS", 1, "name"),
            ("stopped", "Stop Reason NORMAL", 0, "fail"),
            ("failed", "Last Error x. Stop Reason FATAL_ERROR", 0, "fail"),
            ("ready", "", 0, "fail"),
            ("deleting", "", 0, "fail"),
        ];
        for (status, reason, errored, expected) in cases {
            let stats = ReplicationTaskStats::builder().tables_errored(errored).build();
            let task =
                ReplicationTask::builder().status(status).stop_reason(reason).replication_task_stats(stats).build();
            let said = match decide(&task) {
                Verdict::Done => "done",
                Verdict::Wait(_) => "wait",
                Verdict::Resume => "resume",
                Verdict::NameTables => "name",
                Verdict::Fail(_) => "fail",
            };
            assert_eq!(said, expected, "{status}, {reason}");
        }
    }
}
