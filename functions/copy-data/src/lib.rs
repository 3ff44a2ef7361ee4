//! Load the target: start the task, look at it until it has stopped after the changes that came during the load.
//!
//! Changes:      DMS (the task is started once; after a load that broke a second task takes its place, once, and the
//!               replication instance may grow), target (the rows that DMS writes)
//! Repeatable:   yes; a task that was started is never started again, only looked at
//! Undo:         remove-replication; the target is thrown away with the run
//! If it dies:   DMS goes on loading; the next look sees how far it is
//! Fails with:   ReplicationFailed, TablesInError, ConnectionTestFailed, InstanceFailed, AccessDenied (final),
//!               Throttled, ServiceUnavailable (retried)
//!
//! A full load that broke is never resumed: after a failure the task's checkpoint may already be a position in the
//! log, and the resumed task would then follow changes over tables that hold no rows (reported for DMS by one team,
//! documented nowhere). Where the reason may pass, or is too little memory, the load is done once more by a second task
//! (`anew.rs`). It counts as done only if DMS stopped it for the reason that was asked for, no table is in error, and
//! every table says "completed"; whether the rows are really there is for verify-copy to find out.

mod anew;

use aws_sdk_databasemigration::Client;
use aws_sdk_databasemigration::types::{ReplicationTask, StartReplicationTaskTypeValue};
use pgleap_contract::steps::{CopyDataOutput, CopyProgress, RunOnly};
use pgleap_dms::{Connections, Ending, Standing, Status, TableProblems};
use pgleap_step_kit::prelude::*;

/// One look.
pub async fn run(ctx: &Ctx, input: RunOnly) -> StepResult<CopyDataOutput> {
    let dms = Client::new(ctx.aws());
    let run = &input.run.id;
    let tasks = pgleap_dms::tasks(&dms, &run.names()).await?;
    let task = tasks.first().ok_or_else(|| failed(&run.names().task(), "it does not exist"))?;
    let name = task.replication_task_identifier().unwrap_or_default();
    let is_second = name == run.names().second_task();

    match decide(task, is_second) {
        Verdict::Start if is_second => match anew::prepare(&dms, run, task, tasks.get(1)).await? {
            Some(waiting_for) => Ok(output(task, false, waiting_for)),
            None => start(&dms, name, task).await,
        },
        Verdict::Start => start(&dms, name, task).await,
        Verdict::Look(waiting_for) => Ok(output(task, false, format!("task {name} {waiting_for}"))),
        Verdict::Fail(reason) => Err(failed(name, &reason)),
        Verdict::MakeAnew => match anew::make(&dms, run, task).await? {
            Ok(waiting_for) => Ok(output(task, false, waiting_for)),
            Err(reason) => Err(failed(name, &format!("{reason}: {}", pgleap_dms::words(task)))),
        },
        Verdict::NameTables => judge_tables(&dms, name, task, false).await,
        Verdict::Done => judge_tables(&dms, name, task, true).await,
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// It was never started.
    Start,
    /// It works; what on.
    Look(String),
    /// It works or has ended, but tables are in error: say which.
    NameTables,
    /// It has ended as it should, if its tables agree.
    Done,
    /// It broke for a reason that may pass: once more, by another task.
    MakeAnew,
    /// It has ended for good.
    Fail(String),
}

fn decide(task: &ReplicationTask, is_second: bool) -> Verdict {
    let errored = task.replication_task_stats().map_or(0, |stats| stats.tables_errored);
    match Status::of(task) {
        Status::Ready => Verdict::Start,
        Status::Passing(status) => Verdict::Look(format!("is {status}")),
        Status::Running if errored > 0 => Verdict::NameTables,
        Status::Running => Verdict::Look(progress_in_words(task)),
        Status::Deleting => Verdict::Fail("somebody deletes it".to_owned()),
        Status::Stopped | Status::Failed => match pgleap_dms::ending(task) {
            Ending::CachedChangesApplied if errored > 0 => Verdict::NameTables,
            Ending::CachedChangesApplied => Verdict::Done,
            ending if !is_second && anew::deserved(ending) => Verdict::MakeAnew,
            Ending::StoppedByHand => Verdict::Fail("somebody stopped it during the load".to_owned()),
            Ending::OutOfMemory => Verdict::Fail(format!(
                "the replication instance ran out of memory; ask for a larger replication.instanceClass: {}",
                pgleap_dms::words(task)
            )),
            Ending::Recoverable | Ending::Fatal => Verdict::Fail(pgleap_dms::words(task)),
        },
    }
}

async fn judge_tables(dms: &Client, name: &str, task: &ReplicationTask, done: bool) -> StepResult<CopyDataOutput> {
    let problems = pgleap_dms::table_problems(dms, task.replication_task_arn().unwrap_or_default()).await?;
    refuse(name, done, &problems)?;
    let waiting_for = if done { String::new() } else { format!("task {name}: statistics of its tables settle") };
    Ok(output(task, done, waiting_for))
}

/// A good end needs every table complete; while the task runs, only tables in error end it.
fn refuse(name: &str, done: bool, problems: &TableProblems) -> StepResult<()> {
    if problems.errored > 0 || (done && !problems.none()) {
        return Err(StepError::new(ErrorCode::TablesInError, format!("load tables of task {name}: {problems}")));
    }
    if done && problems.tables == 0 {
        return Err(failed(name, "it stopped as if it were done, but knows of no table"));
    }
    Ok(())
}

async fn start(dms: &Client, name: &str, task: &ReplicationTask) -> StepResult<CopyDataOutput> {
    let answer = dms
        .start_replication_task()
        .replication_task_arn(task.replication_task_arn().unwrap_or_default())
        .start_replication_task_type(StartReplicationTaskTypeValue::StartReplication)
        .send()
        .await;
    match answer.doing(format!("start task {name}")) {
        Ok(_started) => Ok(output(task, false, format!("task {name} starts"))),
        Err(error) => {
            let waiting_for = match refused(&error) {
                Refused::Started => format!("task {name}: {}", error.message),
                Refused::Untested => test_again(dms, task).await?,
                Refused::Busy => look_at_instance(dms, task, &error.message).await?,
                Refused::ForGood => return Err(failed(name, &error.message)),
                Refused::Otherwise => return Err(error.into()),
            };
            Ok(output(task, false, waiting_for))
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Refused {
    /// It was started before, by a call whose answer was lost. The next look sees it.
    Started,
    /// DMS has forgotten a good connection test; it sometimes does.
    Untested,
    /// The task or its instance is not in a state to start.
    Busy,
    /// DMS does not want this task at all.
    ForGood,
    /// Throttled, denied, no answer.
    Otherwise,
}

fn refused(error: &AwsError) -> Refused {
    match error.class {
        // "Start Type : START_REPLICATION, valid only for tasks running for the first time"
        Class::Refused if error.message.contains("first time") => Refused::Started,
        Class::Refused => Refused::ForGood,
        // "Test connection for replication instance .. and endpoint .. should be successful for starting .."
        Class::WrongState if error.message.contains("est connection") => Refused::Untested,
        Class::WrongState => Refused::Busy,
        _ => Refused::Otherwise,
    }
}

/// A test that fails now ends the load with its reason.
async fn test_again(dms: &Client, task: &ReplicationTask) -> StepResult<String> {
    let instance = task.replication_instance_arn().unwrap_or_default();
    let endpoints = [task.source_endpoint_arn().unwrap_or_default(), task.target_endpoint_arn().unwrap_or_default()];
    if pgleap_dms::connections(dms, instance, &endpoints).await? == Connections::Good {
        pgleap_dms::retest(dms, instance, &endpoints).await?;
    }
    Ok("connections are tested again".to_owned())
}

/// An instance that no waiting mends would hold the load up for days.
async fn look_at_instance(dms: &Client, task: &ReplicationTask, reason: &str) -> StepResult<String> {
    let arn = task.replication_instance_arn().unwrap_or_default();
    let status = pgleap_dms::instance_status(dms, arn).await?;
    if Standing::of(&status) == Standing::Broken {
        let message = format!("start the load: the replication instance is {status}");
        return Err(StepError::new(ErrorCode::InstanceFailed, message));
    }
    Ok(format!("the replication instance is {status}: {reason}"))
}

fn output(task: &ReplicationTask, done: bool, waiting_for: String) -> CopyDataOutput {
    let progress = task.replication_task_stats().map_or_else(CopyProgress::default, |stats| CopyProgress {
        percent: stats.full_load_progress_percent,
        tables_loaded: stats.tables_loaded,
        tables_loading: stats.tables_loading,
        tables_queued: stats.tables_queued,
        tables_errored: stats.tables_errored,
    });
    CopyDataOutput { done, waiting_for, progress }
}

fn progress_in_words(task: &ReplicationTask) -> String {
    task.replication_task_stats().map_or_else(
        || "is running".to_owned(),
        |stats| {
            format!(
                "loads: {} %, {} tables loaded, {} loading, {} queued",
                stats.full_load_progress_percent, stats.tables_loaded, stats.tables_loading, stats.tables_queued
            )
        },
    )
}

fn failed(name: &str, reason: &str) -> StepError {
    StepError::new(ErrorCode::ReplicationFailed, format!("load with task {name}: {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_databasemigration::types::ReplicationTaskStats;

    fn task(status: &str, reason: &str, errored: i32) -> ReplicationTask {
        let stats = ReplicationTaskStats::builder().full_load_progress_percent(40).tables_errored(errored).build();
        ReplicationTask::builder().status(status).stop_reason(reason).replication_task_stats(stats).build()
    }

    #[test]
    fn only_the_wanted_end_is_a_good_one() {
        let cases = [
            ("ready", "", 0, "start"),
            ("creating", "", 0, "look"),
            ("starting", "", 0, "look"),
            ("stopping", "", 0, "look"),
            ("running", "", 0, "look"),
            ("running", "", 1, "name"),
            ("stopped", "Stop Reason STOPPED_AFTER_CACHED_EVENTS", 0, "done"),
            ("stopped", "Stop Reason STOPPED_AFTER_CACHED_EVENTS", 2, "name"),
            ("stopped", "Stop Reason STOPPED_AFTER_FULL_LOAD", 0, "fail"),
            ("stopped", "Stop Reason NORMAL", 0, "fail"),
            ("stopped", "", 0, "fail"),
            ("failed", "Last Error Replication task out of memory. Stop Reason FATAL_ERROR", 0, "anew, then fail"),
            ("failed", "Last Error x. Stop Reason RECOVERABLE_ERROR", 0, "anew, then fail"),
            ("failed", "Last Error x. Stop Reason FATAL_ERROR", 0, "fail"),
            ("deleting", "", 0, "fail"),
        ];
        for (status, reason, errored, expected) in cases {
            let said = |is_second| match decide(&task(status, reason, errored), is_second) {
                Verdict::Start => "start",
                Verdict::Look(_) => "look",
                Verdict::NameTables => "name",
                Verdict::Done => "done",
                Verdict::MakeAnew => "anew",
                Verdict::Fail(_) => "fail",
            };
            let (first, second) = expected.split_once(", then ").unwrap_or((expected, expected));
            assert_eq!((said(false), said(true)), (first, second), "{status}, {reason}, {errored} in error");
        }
    }

    #[test]
    fn only_a_refusal_that_passes_is_waited_for() {
        let first_time = "Start Type : START_REPLICATION, valid only for tasks running for the first time";
        let untested = "Test connection for replication instance i and endpoint e should be successful for starting the replication task";
        let cases = [
            (Class::Refused, first_time, Refused::Started),
            (Class::Refused, "Invalid table mapping", Refused::ForGood),
            (Class::WrongState, untested, Refused::Untested),
            (Class::WrongState, "Replication Task cannot be started, invalid state", Refused::Busy),
            (Class::Throttled, "Rate exceeded", Refused::Otherwise),
            (Class::Denied, "no", Refused::Otherwise),
        ];
        for (class, message, expected) in cases {
            let (doing, code) = (String::new(), String::new());
            assert_eq!(refused(&AwsError { doing, class, code, message: message.to_owned() }), expected, "{message}");
        }
    }

    #[test]
    fn a_table_that_is_not_complete_spoils_the_end() {
        let problems =
            |tables, errored, unfinished| TableProblems { tables, errored, unfinished, ..TableProblems::default() };
        let cases = [
            (true, problems(3, 0, 0), None),
            (true, problems(3, 1, 0), Some(ErrorCode::TablesInError)),
            (true, problems(3, 0, 1), Some(ErrorCode::TablesInError)),
            (true, problems(0, 0, 0), Some(ErrorCode::ReplicationFailed)),
            (false, problems(3, 0, 2), None),
            (false, problems(3, 1, 2), Some(ErrorCode::TablesInError)),
        ];
        for (done, problems, expected) in cases {
            let judged = refuse("t", done, &problems);

            assert_eq!(judged.err().map(|error| error.code), expected, "done {done}, {problems}");
        }
    }
}
