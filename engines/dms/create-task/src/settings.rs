//! The task's settings: the few that differ from DMS's defaults, and the ones whose default hides a loss.

use pgleap_contract::Names;
use serde_json::{Value, json};

/// Settings as DMS wants them. Every policy that by default logs an error and goes on suspends the table instead: a
/// suspended table is seen in the statistics and in the control tables, a logged error is seen by nobody
/// (AWS documentation, error handling task settings).
pub(crate) fn task_settings() -> Value {
    json!({
        "TargetMetadata": {
            "TargetSchema": "",
            "SupportLobs": true,
            // Whole values of any size. Limited mode would cut them; it is faster, and not lossless by itself.
            "FullLobMode": true,
            "LobChunkSize": 64,
            "LimitedSizeLobMode": false,
            "LobMaxSize": 0,
            // KB. Values up to this size come with their row; each larger one costs a read of the source of its own.
            "InlineLobMaxSize": 32,
            // TaskRecoveryTableEnabled stays off: it keeps a checkpoint on the target from which another task can be started (AWS
            // documentation, "Performing replication starting from a CDC start point"), and nothing says that a resumption of the
            // same task looks there. A change that comes twice after a break suspends its table, which is then loaded again.
            // Change by change in commit order: only so does a marker row prove that all before it has arrived.
            "BatchApplyEnabled": false,
        },
        "FullLoadSettings": {
            // No table is referenced any more (prepare-target), so TRUNCATE works, and a table loaded anew starts empty.
            "TargetTablePrepMode": "TRUNCATE_BEFORE_LOAD",
            "CreatePkAfterFullLoad": false,
            // A pause between load and replication, in which indexes are built.
            "StopTaskCachedChangesApplied": true,
            "StopTaskCachedChangesNotApplied": false,
            "MaxFullLoadSubTasks": 8,
            "TransactionConsistencyTimeout": 600,
            // A commit's rows are held with their inline values, in each table that is loaded: 8 x 1,000 x 32 KB are 256 MB for
            // each large column of a row, where all values are that long.
            "CommitRate": 1000,
        },
        "ErrorBehavior": error_behavior(),
        "ControlTablesSettings": {
            "ControlSchema": Names::CONTROL_SCHEMA,
            "HistoryTimeslotInMinutes": 5,
            "StatusTableEnabled": true,
            "SuspendedTablesTableEnabled": true,
            "HistoryTableEnabled": true,
            "FullLoadExceptionTableEnabled": true,
        },
        "ChangeProcessingTuning": { "CommitTimeout": 1, "MemoryLimitTotal": 1024, "MemoryKeepTime": 60 },
        "ValidationSettings": { "EnableValidation": false },
        "Logging": { "EnableLogging": true },
    })
}

fn error_behavior() -> Value {
    json!({
        "DataErrorPolicy": "SUSPEND_TABLE",
        "DataTruncationErrorPolicy": "SUSPEND_TABLE",
        "DataErrorEscalationPolicy": "SUSPEND_TABLE",
        "DataErrorEscalationCount": 0,
        "TableErrorPolicy": "SUSPEND_TABLE",
        "TableErrorEscalationPolicy": "STOP_TASK",
        "TableErrorEscalationCount": 0,
        // Errors of the environment are retried, with growing pauses, for as long as the largest pause; not for ever.
        "RecoverableErrorCount": -1,
        "RecoverableErrorInterval": 5,
        "RecoverableErrorThrottling": true,
        "RecoverableErrorThrottlingMax": 1800,
        "RecoverableErrorStopRetryAfterThrottlingMax": true,
        "ApplyErrorDeletePolicy": "SUSPEND_TABLE",
        "ApplyErrorInsertPolicy": "SUSPEND_TABLE",
        "ApplyErrorUpdatePolicy": "SUSPEND_TABLE",
        "ApplyErrorEscalationPolicy": "SUSPEND_TABLE",
        "ApplyErrorEscalationCount": 0,
        "ApplyErrorFailOnTruncationDdl": true,
        // Changes overlap the load: one that is in the loaded rows already meets a duplicate or no row. Only the
        // cached changes are forgiven so; from the resumption on the policies above hold.
        "FullLoadIgnoreConflicts": true,
        "FailOnTransactionConsistencyBreached": true,
        "FailOnNoTablesCaptured": true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The whole, as DMS gets it: a change of a setting is a change of this file too, seen in review.
    #[test]
    fn settings_are_as_committed() {
        let golden: Value = serde_json::from_str(include_str!("../tests/settings.json")).expect("committed file");

        assert_eq!(task_settings(), golden);
    }

    #[test]
    fn no_policy_logs_an_error_and_goes_on() {
        let policies = error_behavior();
        for (name, policy) in policies.as_object().expect("object").iter().filter(|(name, _)| name.ends_with("Policy"))
        {
            assert!(policy == "SUSPEND_TABLE" || policy == "STOP_TASK", "{name} is {policy}");
        }
    }
}
