//! Resume the task after the load: it continues from the position at which it stopped, now that the indexes are built.
//!
//! Changes:      DMS (the task runs again), target (the changes that DMS applies)
//! Repeatable:   yes; a running task is left alone
//! If it dies:   the task starts by itself; the next look sees it run
//!
//! Only a task whose load is known to be whole is resumed: it says so by the tag that copy-data put on it. From then on
//! a failure is one of the changes, which go on from the last position (AWS documentation, StartReplicationTask); but
//! not without memory, nor without the slot: those are for copy-data, to which the machine goes back.

use pgleap_contract::steps::{NoOutput, RunOnly};
use pgleap_dms::{Dms, Ending, Memory, Status, Task};
use pgleap_step_kit::prelude::*;

/// One look; done once the task runs without a table in error.
pub async fn run(ctx: &Ctx, input: RunOnly) -> StepResult<Polled<NoOutput>> {
    let dms = Dms::new(ctx);
    let names = input.run.names();
    let task = dms.current_task(&names).await?.ok_or_else(|| failed(&names.task(), "it does not exist"))?;
    let name = &task.name;

    match decide(&task, &dms.memory(&task).await?) {
        Verdict::Done => Ok(Polled::Done(NoOutput {})),
        Verdict::Wait(status) => Ok(Polled::Waiting(format!("task {name} is {status}"))),
        Verdict::Resume => Ok(Polled::Waiting(dms.resume_task(&task).await?)),
        Verdict::Fail(reason) => Err(failed(name, &reason)),
        Verdict::NameTables => {
            let problems = dms.table_problems(&task).await?;
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

fn decide(task: &Task, memory: &Memory) -> Verdict {
    let errored = task.tables_errored() > 0;
    match &task.status {
        Status::Passing(status) => Verdict::Wait(status.clone()),
        Status::Running | Status::Stopped if errored => Verdict::NameTables,
        Status::Running => Verdict::Done,
        Status::Stopped | Status::Failed if memory.is_loaded && can_go_on(task, memory) => Verdict::Resume,
        Status::Stopped | Status::Failed => Verdict::Fail(task.words()),
        Status::Ready => Verdict::Fail("it was never started".to_owned()),
        Status::Deleting => Verdict::Fail("somebody is deleting it".to_owned()),
    }
}

fn can_go_on(task: &Task, memory: &Memory) -> bool {
    match task.ending() {
        Ending::CachedChangesApplied | Ending::StoppedByHand | Ending::Recoverable | Ending::Abnormal => true,
        // Once it has been given more because of this very end.
        Ending::OutOfMemory => memory.class.is_some() && memory.broke_at == task.stopped_at,
        Ending::DiskFull => memory.storage.is_some() && memory.broke_at == task.stopped_at,
        Ending::SlotLost | Ending::Fatal => false,
    }
}

fn failed(name: &str, reason: &str) -> StepError {
    StepError::new(ErrorCode::ReplicationFailed, format!("resume task {name}: {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use pgleap_dms::Progress;

    #[test]
    fn only_a_task_whose_load_is_whole_is_resumed() {
        const GOOD: &str = "Stop Reason STOPPED_AFTER_CACHED_EVENTS";
        const MEMORY: &str = "Last Error Replication task out of memory. Stop Reason FATAL_ERROR";
        let cases = [
            ("running", "", 0, "done", "done"),
            ("running", "", 1, "name", "name"),
            ("starting", "", 0, "wait", "wait"),
            ("stopping", "", 0, "wait", "wait"),
            ("stopped", GOOD, 0, "resume", "fail"),
            ("stopped", GOOD, 1, "name", "name"),
            ("stopped", "Stop Reason NORMAL", 0, "resume", "fail"),
            ("failed", "Last Error x. Stop Reason RECOVERABLE_ERROR", 0, "resume", "fail"),
            ("failed", "Last Error x. Stop Reason FATAL_ERROR", 0, "fail", "fail"),
            ("failed", "Last Error replication slot \"x\" does not exist", 0, "fail", "fail"),
            ("failed", MEMORY, 0, "fail", "fail"),
            ("ready", "", 0, "fail", "fail"),
            ("deleting", "", 0, "fail", "fail"),
        ];
        for (status, reason, errored, loaded, not_loaded) in cases {
            let judged = |is_loaded| said(&task(status, reason, errored), &Memory { is_loaded, ..Memory::default() });

            assert_eq!((judged(true), judged(false)), (loaded, not_loaded), "{status}, {reason}");
        }
    }

    #[test]
    fn a_task_that_ran_out_of_memory_or_disk_goes_on_after_its_instance_grew() {
        let grown = |class: Option<&str>, storage, broke_at| Memory {
            is_loaded: true,
            class: class.map(str::to_owned),
            storage,
            broke_at: Some(broke_at),
            ..Memory::default()
        };
        let larger = Some("dms.t3.large");
        let cases = [
            ("Last Error Replication task out of memory.", larger, None, STOPPED_AT, "resume"),
            ("Last Error Replication task out of memory.", larger, None, STOPPED_AT - 1, "fail"),
            ("Stop Reason STOPPED_DUE_TO_LOW_DISK", None, Some(100), STOPPED_AT, "resume"),
            ("Stop Reason STOPPED_DUE_TO_LOW_DISK", None, Some(100), STOPPED_AT - 1, "fail"),
            ("Stop Reason STOPPED_DUE_TO_LOW_DISK", larger, None, STOPPED_AT, "fail"),
        ];
        for (reason, class, storage, broke_at, expected) in cases {
            assert_eq!(
                said(&task("failed", reason, 0), &grown(class, storage, broke_at)),
                expected,
                "{reason} {broke_at}"
            );
        }
    }

    const STOPPED_AT: i64 = 1_000;

    fn task(status: &str, reason: &str, errored: i32) -> Task {
        Task {
            status: Status::read(status),
            stop_reason: reason.to_owned(),
            stopped_at: Some(STOPPED_AT),
            progress: Some(Progress { tables_errored: errored, ..Progress::default() }),
            ..Task::default()
        }
    }

    fn said(task: &Task, memory: &Memory) -> &'static str {
        match decide(task, memory) {
            Verdict::Done => "done",
            Verdict::Wait(_) => "wait",
            Verdict::Resume => "resume",
            Verdict::NameTables => "name",
            Verdict::Fail(_) => "fail",
        }
    }
}
