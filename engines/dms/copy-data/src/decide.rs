//! What a look at the task means.

use pgleap_contract::steps::RepairKind;
use pgleap_dms::{Ending, Memory, Status, Task};

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It was never started.
    Start,
    /// It works; what on.
    Look(String),
    /// Tables are in error: say which.
    NameTables,
    /// The load has ended as it should, if its tables agree.
    Done,
    /// The load broke for this reason, which can be mended: once more, by another task.
    MakeAnew(RepairKind),
    /// The load is over; the changes need a larger instance, of memory or of disk.
    Grow(RepairKind),
    /// It has ended for good.
    Fail(String),
}

pub(crate) fn decide(task: &Task, memory: &Memory) -> Verdict {
    let errored = task.tables_errored();
    match &task.status {
        Status::Ready => Verdict::Start,
        Status::Passing(status) => Verdict::Look(format!("is {status}")),
        Status::Deleting => Verdict::Fail("somebody is deleting it".to_owned()),
        Status::Running if errored > 0 && (memory.is_loaded || is_load_over(task)) => Verdict::NameTables,
        Status::Running if memory.is_loaded => Verdict::Done,
        Status::Running => Verdict::Look(in_words(task)),
        Status::Stopped | Status::Failed => {
            let ending = task.ending();
            let is_whole = ending == Ending::CachedChangesApplied || (memory.is_loaded && is_resumable(ending));
            match cause_of(ending, memory) {
                _ if is_whole && errored > 0 => Verdict::NameTables,
                _ if is_whole => Verdict::Done,
                Some(cause @ (RepairKind::OutOfMemory | RepairKind::DiskFull)) if memory.is_loaded => {
                    Verdict::Grow(cause)
                }
                Some(cause) => Verdict::MakeAnew(cause),
                None => Verdict::Fail(task.words()),
            }
        }
    }
}

/// Whether the task stopped while it followed changes, and neither by itself nor by the run: it will go on.
pub(crate) fn broke_in_changes(task: &Task, memory: &Memory) -> bool {
    let has_ended = matches!(task.status, Status::Stopped | Status::Failed);
    let for_us = memory.rested_at.is_some() && memory.rested_at == task.stopped_at;
    let ending = task.ending();
    has_ended && memory.is_loaded && !for_us && is_resumable(ending)
}

/// After a load that is whole.
fn is_resumable(ending: Ending) -> bool {
    matches!(ending, Ending::StoppedByHand | Ending::Recoverable | Ending::Abnormal)
}

/// Nothing is loaded any more; the tables in error are all that is left of the load.
fn is_load_over(task: &Task) -> bool {
    task.progress.is_some_and(|load| load.has_finished && load.tables_loading == 0 && load.tables_queued == 0)
}

/// What could be mended. The same twice in a row is for good, but for memory and disk, of which there may be more still, and
/// for an end without a reason, which is taken for a want of memory the second time.
fn cause_of(ending: Ending, memory: &Memory) -> Option<RepairKind> {
    let cause = match ending {
        Ending::OutOfMemory => return Some(RepairKind::OutOfMemory),
        Ending::DiskFull => return Some(RepairKind::DiskFull),
        Ending::SlotLost => RepairKind::SlotLost,
        Ending::StoppedByHand => RepairKind::TaskStopped,
        Ending::Abnormal if matches!(memory.cause, Some(RepairKind::LoadBroken | RepairKind::OutOfMemory)) => {
            return Some(RepairKind::OutOfMemory);
        }
        Ending::Recoverable | Ending::Abnormal => RepairKind::LoadBroken,
        Ending::CachedChangesApplied | Ending::Fatal => return None,
    };
    (memory.cause != Some(cause)).then_some(cause)
}

fn in_words(task: &Task) -> String {
    task.progress.map_or_else(
        || "is running".to_owned(),
        |load| {
            format!(
                "is loading: {} %, {} tables loaded, {} loading, {} queued",
                load.percent, load.tables_loaded, load.tables_loading, load.tables_queued
            )
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use pgleap_dms::Progress;

    const GOOD: &str = "Stop Reason STOPPED_AFTER_CACHED_EVENTS";
    const MEMORY: &str = "Last Error Replication task out of memory. Stop Reason FATAL_ERROR";
    const DISK: &str = "Stop Reason STOPPED_DUE_TO_LOW_DISK";
    const SLOT: &str = "Last Error replication slot \"x\" does not exist Stop Reason FATAL_ERROR";
    const ABNORMAL: &str =
        "Last Error The task stopped abnormally Stop Reason RECOVERABLE_ERROR Error Level RECOVERABLE";
    const PASSES: &str = "Last Error x. Stop Reason RECOVERABLE_ERROR";

    fn task(status: &str, reason: &str, errored: i32) -> Task {
        let progress = Some(Progress { percent: 40, tables_errored: errored, ..Progress::default() });
        Task { status: Status::read(status), stop_reason: reason.to_owned(), progress, ..Task::default() }
    }

    fn said(verdict: Verdict) -> &'static str {
        match verdict {
            Verdict::Start => "start",
            Verdict::Look(_) => "look",
            Verdict::NameTables => "name",
            Verdict::Done => "done",
            Verdict::MakeAnew(cause) => cause.word(),
            Verdict::Grow(_) => "grow",
            Verdict::Fail(_) => "fail",
        }
    }

    #[test]
    fn only_the_wanted_end_is_a_good_one_and_what_fails_after_it_is_not_loaded_again() {
        let cases = [
            ("ready", "", 0, "start", "start"),
            ("creating", "", 0, "look", "look"),
            ("stopping", "", 0, "look", "look"),
            ("running", "", 0, "look", "done"),
            ("running", "", 1, "look", "name"),
            ("stopped", GOOD, 0, "done", "done"),
            ("stopped", GOOD, 2, "name", "name"),
            ("stopped", "Stop Reason STOPPED_AFTER_FULL_LOAD", 0, "fail", "fail"),
            ("stopped", "Stop Reason NORMAL", 0, "task-stopped", "done"),
            ("stopped", "", 0, "fail", "fail"),
            ("failed", MEMORY, 0, "out-of-memory", "grow"),
            ("stopped", DISK, 0, "disk-full", "grow"),
            ("failed", PASSES, 0, "load-broken", "done"),
            ("failed", ABNORMAL, 0, "load-broken", "done"),
            ("failed", SLOT, 0, "slot-lost", "slot-lost"),
            ("failed", "Last Error x. Stop Reason FATAL_ERROR", 0, "fail", "fail"),
            ("deleting", "", 0, "fail", "fail"),
        ];
        for (status, reason, errored, in_load, after_it) in cases {
            let judged = |is_loaded| {
                let memory = Memory { is_loaded, ..Memory::default() };
                said(decide(&task(status, reason, errored), &memory))
            };

            assert_eq!((judged(false), judged(true)), (in_load, after_it), "{status}, {reason}, {errored} in error");
        }
    }

    #[test]
    fn a_stop_of_the_runs_own_is_no_trouble() {
        let cases = [
            ("stopped", "Stop Reason NORMAL", true, None, true),
            ("stopped", "Stop Reason NORMAL", true, Some(7), false),
            ("stopped", "Stop Reason NORMAL", true, Some(6), true),
            ("stopped", "Stop Reason NORMAL", false, None, false),
            ("stopped", GOOD, true, None, false),
            ("failed", PASSES, true, None, true),
            ("running", "", true, None, false),
        ];
        for (status, reason, is_loaded, rested_at, expected) in cases {
            let task = Task { stopped_at: Some(7), ..task(status, reason, 0) };
            let memory = Memory { is_loaded, rested_at, ..Memory::default() };

            assert_eq!(broke_in_changes(&task, &memory), expected, "{status} {reason} {rested_at:?}");
        }
    }

    #[test]
    fn tables_in_error_wait_until_the_others_are_loaded() {
        for (loading, queued, finished, expected) in
            [(1, 0, false, "look"), (0, 1, true, "look"), (0, 0, false, "look"), (0, 0, true, "name")]
        {
            let progress = Progress {
                tables_errored: 1,
                tables_loading: loading,
                tables_queued: queued,
                has_finished: finished,
                ..Progress::default()
            };
            let task = Task { progress: Some(progress), ..task("running", "", 1) };

            assert_eq!(said(decide(&task, &Memory::default())), expected, "{loading} {queued} {finished}");
        }
    }

    #[test]
    fn the_same_trouble_twice_in_a_row_is_for_good_but_for_memory() {
        let cases = [
            (MEMORY, RepairKind::OutOfMemory, "out-of-memory"),
            (DISK, RepairKind::DiskFull, "disk-full"),
            (SLOT, RepairKind::SlotLost, "fail"),
            (SLOT, RepairKind::OutOfMemory, "slot-lost"),
            (PASSES, RepairKind::LoadBroken, "fail"),
            (ABNORMAL, RepairKind::SlotLost, "load-broken"),
            (ABNORMAL, RepairKind::LoadBroken, "out-of-memory"),
            (ABNORMAL, RepairKind::OutOfMemory, "out-of-memory"),
            ("Stop Reason NORMAL", RepairKind::TaskStopped, "fail"),
            ("Stop Reason NORMAL", RepairKind::LoadBroken, "task-stopped"),
        ];
        for (reason, before, expected) in cases {
            let memory = Memory { cause: Some(before), ..Memory::default() };

            assert_eq!(said(decide(&task("failed", reason, 0), &memory)), expected, "{reason} after {before:?}");
        }
    }
}
