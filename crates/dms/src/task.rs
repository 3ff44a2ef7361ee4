//! A task's status and the reason of its end, read from DMS's texts.

use aws_sdk_databasemigration::types::ReplicationTask;
use pgleap_contract::redact;

/// Where a task is (`ReplicationTask.Status`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// Made, never started.
    Ready,
    /// Running: loading, applying cached changes, or following.
    Running,
    /// Ended; [`ending`] says why.
    Stopped,
    /// Ended by an error; [`ending`] says which.
    Failed,
    /// On its way to another status by itself: creating, starting, stopping, modifying, testing, moving.
    Passing(String),
    /// On its way out.
    Deleting,
}

impl Status {
    /// The status of this task. A word that nobody knows is a passing one: a look has a bound anyhow.
    pub fn of(task: &ReplicationTask) -> Self {
        match task.status.as_deref().unwrap_or_default() {
            "ready" => Self::Ready,
            "running" => Self::Running,
            "stopped" => Self::Stopped,
            "failed" | "failed-move" => Self::Failed,
            "deleting" => Self::Deleting,
            other => Self::Passing(other.to_owned()),
        }
    }
}

/// Why a task stopped or failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The full load and the changes that came during it are on the target, as its settings ask for.
    CachedChangesApplied,
    /// Somebody stopped it.
    StoppedByHand,
    /// The instance is too small.
    OutOfMemory,
    /// The instance's disk is full.
    DiskFull,
    /// The source no longer has the task's slot, or not all of its WAL: changes are lost to the task.
    SlotLost,
    /// DMS calls it recoverable: network, a restart of the instance.
    Recoverable,
    /// DMS calls it recoverable and does not know why. Seen with instances that are too small.
    Abnormal,
    /// DMS calls it fatal, or says something that nobody has seen yet.
    Fatal,
}

/// PostgreSQL's words about a slot that is gone or was invalidated (all majors, `slot.c`, `logical.c`), which DMS
/// passes on in its message.
const SLOT_LOST: &[&str] = &["does not exist", "can no longer", "invalidated", "has been removed"];

/// Why it ended. `StopReason` carries a prefix ("Stop Reason NORMAL") and repeats the whole failure message on an
/// error, so words are looked for inside it (AWS documentation, ReplicationTask; texts as reported in public issues).
pub fn ending(task: &ReplicationTask) -> Ending {
    let said = words(task);
    let says = |word: &str| said.contains(word);
    if says("out of memory") || says("STOPPED_DUE_TO_LOW_MEMORY") {
        Ending::OutOfMemory
    } else if says("STOPPED_DUE_TO_LOW_DISK") {
        Ending::DiskFull
    } else if says("replication slot") && SLOT_LOST.iter().any(|words| says(words)) {
        Ending::SlotLost
    } else if says("STOPPED_AFTER_CACHED_EVENTS") {
        Ending::CachedChangesApplied
    } else if says("stopped abnormally") {
        Ending::Abnormal
    } else if says("RECOVERABLE_ERROR") || says("RECYCLE_TASK") || says("RECONFIGURATION_RESTART") {
        Ending::Recoverable
    } else if says("Stop Reason NORMAL") && !says("Last Error") {
        Ending::StoppedByHand
    } else {
        Ending::Fatal
    }
}

/// When it ended, in epoch seconds.
pub fn stopped_at(task: &ReplicationTask) -> Option<i64> {
    task.replication_task_stats()?.stop_date.map(|date| date.secs())
}

/// DMS's own words about the end, for people.
pub fn words(task: &ReplicationTask) -> String {
    redact(&raw_words(task))
}

fn raw_words(task: &ReplicationTask) -> String {
    let failure = task.last_failure_message.as_deref().unwrap_or_default().trim();
    let reason = task.stop_reason.as_deref().unwrap_or_default().trim();
    match (failure, reason) {
        ("", "") => "DMS gives no reason".to_owned(),
        ("", reason) => reason.to_owned(),
        (failure, reason) if failure.contains(reason) => failure.to_owned(),
        (failure, reason) if reason.contains(failure) => reason.to_owned(),
        (failure, reason) => format!("{failure}; {reason}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(stop_reason: &str, failure: &str) -> ReplicationTask {
        ReplicationTask::builder().status("stopped").stop_reason(stop_reason).last_failure_message(failure).build()
    }

    #[test]
    fn ends_are_told_apart_by_dms_words() {
        let cases = [
            ("Stop Reason STOPPED_AFTER_CACHED_EVENTS", "", Ending::CachedChangesApplied),
            ("STOPPED_AFTER_CACHED_EVENTS", "", Ending::CachedChangesApplied),
            ("Stop Reason NORMAL", "", Ending::StoppedByHand),
            (
                "Stop Reason FATAL_ERROR",
                "Last Error Replication task out of memory. Stop Reason FATAL_ERROR Error Level FATAL",
                Ending::OutOfMemory,
            ),
            ("Stop Reason STOPPED_DUE_TO_LOW_MEMORY", "", Ending::OutOfMemory),
            ("Stop Reason STOPPED_DUE_TO_LOW_DISK", "", Ending::DiskFull),
            (
                "",
                "Last Error replication slot \"t_00016384_x\" does not exist Stop Reason FATAL_ERROR Error Level FATAL",
                Ending::SlotLost,
            ),
            (
                "",
                "Last Error ERROR: can no longer get changes from replication slot \"t_1\"; Stop Reason RECOVERABLE_ERROR",
                Ending::SlotLost,
            ),
            ("", "Last Error relation \"t\" does not exist Stop Reason FATAL_ERROR", Ending::Fatal),
            (
                "Last Error  ODBC general error. Stop Reason RECOVERABLE_ERROR Error Level RECOVERABLE",
                "",
                Ending::Recoverable,
            ),
            (
                "",
                "Last Error  No tables were found at task initialization. Stop Reason FATAL_ERROR Error Level FATAL",
                Ending::Fatal,
            ),
            (
                "Last Error The task stopped abnormally Stop Reason RECOVERABLE_ERROR Error Level RECOVERABLE",
                "",
                Ending::Abnormal,
            ),
            ("Stop Reason STOPPED_AFTER_FULL_LOAD", "", Ending::Fatal),
            ("", "", Ending::Fatal),
        ];
        for (reason, failure, expected) in cases {
            assert_eq!(ending(&ended(reason, failure)), expected, "{reason} / {failure}");
        }
    }

    #[test]
    fn words_are_said_once() {
        let twice = "Last Error  ODBC general error. Stop Reason RECOVERABLE_ERROR";

        assert_eq!(words(&ended(twice, twice)), twice);
        assert_eq!(words(&ended("", "")), "DMS gives no reason");
    }

    #[test]
    fn an_unknown_status_is_a_passing_one() {
        let task = |status: &str| ReplicationTask::builder().status(status).build();

        assert_eq!(Status::of(&task("failed-move")), Status::Failed);
        assert_eq!(Status::of(&task("starting")), Status::Passing("starting".to_owned()));
        assert_eq!(Status::of(&task("napping")), Status::Passing("napping".to_owned()));
    }
}
