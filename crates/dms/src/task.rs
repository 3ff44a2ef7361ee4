//! A task's status and the reason of its end, read from DMS's texts.

use aws_sdk_databasemigration::types::{ReplicationTask, ReplicationTaskStats};
use pgleap_contract::redact;
use pgleap_step_kit::arn;
use pgleap_step_kit::aws::AwsError;

/// A task, as DMS describes it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Task {
    /// Its identifier.
    pub name: String,
    /// Where it is.
    pub status: Status,
    /// `StopReason`; empty if there is none.
    pub stop_reason: String,
    /// `LastFailureMessage`; empty if there is none.
    pub last_failure: String,
    /// When it was started or resumed last, in seconds since the epoch.
    pub started_at: Option<f64>,
    /// When it ended last, in seconds since the epoch.
    pub stopped_at: Option<i64>,
    /// How far it is, once DMS says so.
    pub progress: Option<Progress>,
    /// To be asked for by [`Task::arn`].
    pub arn: Option<String>,
    /// To be asked for by [`Task::instance_arn`].
    pub instance_arn: Option<String>,
    /// To be asked for by [`Task::endpoint_arns`].
    pub source_arn: Option<String>,
    /// To be asked for by [`Task::endpoint_arns`].
    pub target_arn: Option<String>,
}

/// How far a task is with its load (`ReplicationTaskStats`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Of the full load.
    pub percent: i32,
    /// Tables that are loaded.
    pub tables_loaded: i32,
    /// .. being loaded.
    pub tables_loading: i32,
    /// .. waiting.
    pub tables_queued: i32,
    /// .. in error.
    pub tables_errored: i32,
    /// DMS has noted when the full load finished.
    pub has_finished: bool,
}

impl Progress {
    fn of(stats: &ReplicationTaskStats) -> Self {
        Self {
            percent: stats.full_load_progress_percent,
            tables_loaded: stats.tables_loaded,
            tables_loading: stats.tables_loading,
            tables_queued: stats.tables_queued,
            tables_errored: stats.tables_errored,
            has_finished: stats.full_load_finish_date.is_some(),
        }
    }
}

impl Task {
    pub(crate) fn of(found: ReplicationTask) -> Self {
        let stats = found.replication_task_stats.as_ref();
        Self {
            status: Status::read(found.status.as_deref().unwrap_or_default()),
            stopped_at: stats.and_then(|stats| stats.stop_date).map(|date| date.secs()),
            progress: stats.map(Progress::of),
            started_at: found.replication_task_start_date.map(|date| date.as_secs_f64()),
            name: found.replication_task_identifier.unwrap_or_default(),
            stop_reason: found.stop_reason.unwrap_or_default(),
            last_failure: found.last_failure_message.unwrap_or_default(),
            arn: found.replication_task_arn,
            instance_arn: found.replication_instance_arn,
            source_arn: found.source_endpoint_arn,
            target_arn: found.target_endpoint_arn,
        }
    }

    /// Its ARN.
    ///
    /// # Errors
    /// It has none.
    pub fn arn(&self) -> Result<&str, AwsError> {
        arn(&format!("task {}", self.name), self.arn.as_deref())
    }

    /// The ARN of its replication instance.
    ///
    /// # Errors
    /// It has none.
    pub fn instance_arn(&self) -> Result<&str, AwsError> {
        arn("the task's replication instance", self.instance_arn.as_deref())
    }

    /// The ARNs of its endpoints, source first.
    ///
    /// # Errors
    /// One has none.
    pub fn endpoint_arns(&self) -> Result<[&str; 2], AwsError> {
        Ok([arn("an endpoint", self.source_arn.as_deref())?, arn("an endpoint", self.target_arn.as_deref())?])
    }

    /// How many of its tables are in error.
    pub fn tables_errored(&self) -> i32 {
        self.progress.map_or(0, |progress| progress.tables_errored)
    }
}

/// Where a task is (`ReplicationTask.Status`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// Made, never started.
    Ready,
    /// Running: loading, applying cached changes, or following.
    Running,
    /// Ended; [`Task::ending`] says why.
    Stopped,
    /// Ended by an error; [`Task::ending`] says which.
    Failed,
    /// On its way to another status by itself: creating, starting, stopping, modifying, testing, moving.
    Passing(String),
    /// On its way out.
    Deleting,
}

impl Default for Status {
    fn default() -> Self {
        Self::Passing(String::new())
    }
}

impl Status {
    /// DMS's word. One that nobody knows is a passing status: a look has a bound anyhow.
    pub fn read(word: &str) -> Self {
        match word {
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

impl Task {
    /// Why it ended. `StopReason` carries a prefix ("Stop Reason NORMAL") and repeats the whole failure message on an
    /// error, so words are looked for inside it (AWS documentation, ReplicationTask; texts as reported in public issues).
    pub fn ending(&self) -> Ending {
        let said = self.words();
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

    /// DMS's own words about the end, for people.
    pub fn words(&self) -> String {
        redact(&self.raw_words())
    }

    fn raw_words(&self) -> String {
        let (failure, reason) = (self.last_failure.trim(), self.stop_reason.trim());
        match (failure, reason) {
            ("", "") => "DMS gives no reason".to_owned(),
            ("", reason) => reason.to_owned(),
            (failure, reason) if failure.contains(reason) => failure.to_owned(),
            (failure, reason) if reason.contains(failure) => reason.to_owned(),
            (failure, reason) => format!("{failure}; {reason}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_databasemigration::primitives::DateTime;

    fn ended(stop_reason: &str, failure: &str) -> Task {
        let task = ReplicationTask::builder().status("stopped").stop_reason(stop_reason);
        Task::of(task.last_failure_message(failure).build())
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
            assert_eq!(ended(reason, failure).ending(), expected, "{reason} / {failure}");
        }
    }

    #[test]
    fn words_are_said_once() {
        let twice = "Last Error  ODBC general error. Stop Reason RECOVERABLE_ERROR";

        assert_eq!(ended(twice, twice).words(), twice);
        assert_eq!(ended("", "").words(), "DMS gives no reason");
    }

    #[test]
    fn an_unknown_status_is_a_passing_one() {
        assert_eq!(Status::read("failed-move"), Status::Failed);
        assert_eq!(Status::read("starting"), Status::Passing("starting".to_owned()));
        assert_eq!(Status::read("napping"), Status::Passing("napping".to_owned()));
        assert_eq!(Status::default(), Status::read(""));
    }

    #[test]
    fn what_dms_describes_is_read_whole() {
        let at = |seconds| DateTime::from_secs(seconds);
        let stats = ReplicationTaskStats::builder().full_load_progress_percent(40).tables_loaded(1).tables_loading(2);
        let stats = stats.tables_queued(3).tables_errored(4).stop_date(at(7)).full_load_finish_date(at(6)).build();
        let task = ReplicationTask::builder().status("running").replication_task_identifier("t");
        let task = task.replication_task_arn("arn:t").replication_instance_arn("arn:i");
        let task = task.source_endpoint_arn("arn:s").target_endpoint_arn("arn:d").replication_task_start_date(at(5));

        let read = Task::of(task.replication_task_stats(stats).build());

        assert_eq!((read.name.as_str(), &read.status), ("t", &Status::Running));
        assert_eq!((read.started_at, read.stopped_at, read.tables_errored()), (Some(5.0), Some(7), 4));
        assert_eq!((read.arn().expect("one"), read.instance_arn().expect("one")), ("arn:t", "arn:i"));
        assert_eq!(read.endpoint_arns().expect("both"), ["arn:s", "arn:d"]);
        let progress = Progress {
            percent: 40,
            tables_loaded: 1,
            tables_loading: 2,
            tables_queued: 3,
            tables_errored: 4,
            has_finished: true,
        };
        assert_eq!(read.progress, Some(progress));
        assert!(Task::default().arn().is_err() && Task::default().endpoint_arns().is_err());
    }
}
