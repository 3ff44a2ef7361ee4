//! The tables in which DMS writes about itself on the target, with the names and columns that it gives them.

use super::columns::{literal, quoted};
use super::failure::Failure;
use super::settings::TaskSettings;
use super::statistics::TableName;

/// How a task is named in the control tables.
#[derive(Debug, Clone)]
pub(crate) struct ControlTables {
    schema: String,
    server: String,
    task: String,
    has_exceptions_of_the_load: bool,
    has_status: bool,
    has_suspended_tables: bool,
    has_history: bool,
    has_recovery: bool,
}

/// One line of `awsdms_status`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct StatusLine {
    pub(crate) status: &'static str,
    pub(crate) pending_changes: u64,
    pub(crate) source_position: String,
    /// Epoch seconds.
    pub(crate) applied_commit_time: Option<f64>,
}

impl ControlTables {
    /// The control tables of a task: `server` is the replication instance, `task` the task's resource id.
    pub(crate) fn new(settings: &TaskSettings, server: &str, task: &str, has_changes: bool) -> Self {
        let tables = &settings.control_tables_settings;
        Self {
            schema: settings.control_schema().to_owned(),
            server: server.to_owned(),
            task: task.to_owned(),
            has_exceptions_of_the_load: tables.full_load_exception_table_enabled,
            has_status: has_changes && tables.status_table_enabled,
            has_suspended_tables: has_changes && tables.suspended_tables_table_enabled,
            has_history: has_changes && tables.history_table_enabled,
            has_recovery: has_changes && settings.target_metadata.task_recovery_table_enabled,
        }
    }

    /// Statements that make the tables of this task that are not there yet.
    pub(crate) fn creation(&self) -> String {
        let exceptions = r#"("TASK_NAME" varchar(128) NOT NULL, "TABLE_OWNER" varchar(128) NOT NULL, "TABLE_NAME" varchar(128) NOT NULL, "ERROR_TIME" timestamp NOT NULL, "STATEMENT" text NOT NULL, "ERROR" text NOT NULL)"#;
        let mut wanted = vec![("awsdms_apply_exceptions", exceptions)];
        if self.has_exceptions_of_the_load {
            wanted.push(("awsdms_full_load_exceptions", exceptions));
        }
        if self.has_status {
            wanted.push((
                "awsdms_status",
                "(server_name varchar(128) NOT NULL, task_name varchar(128) NOT NULL, task_status varchar(32), status_time timestamp, pending_changes int8, disk_swap_size int8, task_memory int8, source_current_position varchar(128), source_current_timestamp timestamp, source_tail_position varchar(128), source_tail_timestamp timestamp, source_timestamp_applied timestamp, UNIQUE (server_name, task_name))",
            ));
        }
        if self.has_history {
            wanted.push((
                "awsdms_history",
                "(server_name varchar(128) NOT NULL, task_name varchar(128) NOT NULL, timeslot_type varchar(32) NOT NULL, timeslot timestamp NOT NULL, timeslot_duration int8, timeslot_latency int8, timeslot_records int8, timeslot_volume int8)",
            ));
        }
        if self.has_suspended_tables {
            wanted.push((
                "awsdms_suspended_tables",
                "(server_name varchar(128) NOT NULL, task_name varchar(128) NOT NULL, table_owner varchar(128) NOT NULL, table_name varchar(128) NOT NULL, suspend_reason varchar(32), suspend_timestamp timestamp)",
            ));
        }
        if self.has_recovery {
            wanted.push((
                "awsdms_txn_state",
                r#"("SERVER_NAME" varchar(128) NOT NULL, "TASK_NAME" varchar(128) NOT NULL, "STATE_TIME" timestamp, "CHECKPOINT" varchar(1024), UNIQUE ("SERVER_NAME", "TASK_NAME"))"#,
            ));
        }
        wanted
            .iter()
            .map(|(name, columns)| format!("CREATE TABLE IF NOT EXISTS {} {columns};", self.name(name)))
            .collect()
    }

    /// The statement that records a change that was not carried out.
    pub(crate) fn exception(&self, table: &TableName, statement: &str, error: &str) -> String {
        format!(
            "INSERT INTO {} VALUES ({}, {}, {}, {NOW}, {}, {})",
            self.name("awsdms_apply_exceptions"),
            literal(&self.task),
            literal(&table.0),
            literal(&table.1),
            literal(statement),
            literal(error)
        )
    }

    /// The statement that records an error of the load, if the table for it is enabled.
    pub(crate) fn load_exception(&self, table: &TableName, error: &str) -> Option<String> {
        self.has_exceptions_of_the_load.then(|| {
            format!(
                "INSERT INTO {} VALUES ({}, {}, {}, {NOW}, '', {})",
                self.name("awsdms_full_load_exceptions"),
                literal(&self.task),
                literal(&table.0),
                literal(&table.1),
                literal(error)
            )
        })
    }

    /// The statement that records that a table stopped, if the table for it is enabled.
    pub(crate) fn suspended(&self, table: &TableName) -> Option<String> {
        self.has_suspended_tables.then(|| {
            format!(
                "INSERT INTO {} VALUES ({}, {}, {}, {}, 'Table error', {NOW})",
                self.name("awsdms_suspended_tables"),
                literal(&self.server),
                literal(&self.task),
                literal(&table.0),
                literal(&table.1)
            )
        })
    }

    /// The statement that writes the task's state, if the table for it is enabled.
    pub(crate) fn status(&self, line: &StatusLine) -> Option<String> {
        self.has_status.then(|| {
            let applied = line
                .applied_commit_time
                .map_or_else(|| "NULL".to_owned(), |at| format!("to_timestamp({at}) AT TIME ZONE 'UTC'"));
            format!(
                "INSERT INTO {} VALUES ({}, {}, {}, {NOW}, {}, 0, 0, {}, {NOW}, '', {NOW}, {applied}) ON CONFLICT \
                 (server_name, task_name) DO UPDATE SET task_status = excluded.task_status, status_time = \
                 excluded.status_time, pending_changes = excluded.pending_changes, source_current_position = \
                 excluded.source_current_position, source_current_timestamp = excluded.source_current_timestamp, \
                 source_tail_position = excluded.source_tail_position, source_tail_timestamp = \
                 excluded.source_tail_timestamp, source_timestamp_applied = excluded.source_timestamp_applied",
                self.name("awsdms_status"),
                literal(&self.server),
                literal(&self.task),
                literal(line.status),
                line.pending_changes,
                literal(&line.source_position),
            )
        })
    }

    /// The statement that writes a slice of the task's history, if the table for it is enabled.
    pub(crate) fn history(&self, minutes: u64, latency_seconds: u64, records: u64) -> Option<String> {
        self.has_history.then(|| {
            format!(
                "INSERT INTO {} VALUES ({}, {}, 'CHANGE PROCESSING', {NOW}, {minutes}, {latency_seconds}, {records}, 0)",
                self.name("awsdms_history"),
                literal(&self.server),
                literal(&self.task)
            )
        })
    }

    /// The statement that keeps the checkpoint inside the transaction that it describes, if enabled.
    pub(crate) fn recovery(&self, checkpoint: &str) -> Option<String> {
        self.has_recovery.then(|| {
            format!(
                "INSERT INTO {} VALUES ({}, {}, {NOW}, {}) ON CONFLICT (\"SERVER_NAME\", \"TASK_NAME\") DO UPDATE SET \
                 \"STATE_TIME\" = excluded.\"STATE_TIME\", \"CHECKPOINT\" = excluded.\"CHECKPOINT\"",
                self.name("awsdms_txn_state"),
                literal(&self.server),
                literal(&self.task),
                literal(checkpoint)
            )
        })
    }

    fn name(&self, table: &str) -> String {
        format!("{}.{}", quoted(&self.schema), quoted(table))
    }
}

const NOW: &str = "clock_timestamp() AT TIME ZONE 'UTC'";

/// Make the tables.
pub(crate) async fn create(target: &tokio_postgres::Client, tables: &ControlTables) -> Result<(), Failure> {
    Ok(target.batch_execute(&tables.creation()).await?)
}
