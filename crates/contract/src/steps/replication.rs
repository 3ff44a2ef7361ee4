//! `prepare-replication`, `empty-target`, `create-task`, `copy-data`, `resume-replication`, `verify-copy`, `remove-replication`.

use serde::{Deserialize, Serialize};

use crate::{Run, Server};

use super::{DatabaseSize, Repair, UpgradeWay};

/// Output of `empty-target`: what only the database knows and the replication task needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EmptyTargetOutput {
    /// What DMS is told to leave out or in.
    pub selection: Selection,
}

/// What the task's table mapping is made of. Bounded by [`Selection::LONGEST`] entries a list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Selection {
    /// Schemas to carry, one selection rule each.
    pub schemas: Vec<String>,
    /// Tables of these schemas to leave out: partitioned parents, unlogged and foreign tables.
    pub excluded_tables: Vec<TableName>,
    /// Generated columns to remove.
    pub removed_columns: Vec<ColumnName>,
    /// The DMS login may set `session_replication_role`.
    pub replica_role: bool,
}

impl Selection {
    /// Longest list that travels; a larger one is a blocker in preflight.
    pub const LONGEST: usize = 500;
}

/// A table by schema and name, unquoted.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TableName {
    /// Schema, unquoted.
    pub schema: String,
    /// Table, unquoted.
    pub table: String,
}

impl TableName {
    /// Most tables in error that a run mends; more are a sign of something that no reload mends.
    pub const MOST_IN_ERROR: usize = 100;
}

impl std::fmt::Display for TableName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.schema, self.table)
    }
}

/// A column by schema, table and name, unquoted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ColumnName {
    /// Schema, unquoted.
    pub schema: String,
    /// Table, unquoted.
    pub table: String,
    /// Column, unquoted.
    pub column: String,
}

/// Input of `prepare-replication`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PrepareReplicationInput {
    /// The run.
    pub run: Run,
    /// The source's server.
    pub source: Server,
    /// The way that preflight found: engine version and network.
    pub way: UpgradeWay,
    /// Size of what is copied.
    pub size: DatabaseSize,
    /// The rule that was added after an earlier call said that it is missing: it says so once, then it is an error.
    pub ingress: Option<IngressRule>,
}

/// Output of `prepare-replication`, once the source was reached, or a rule must be added first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PrepareReplicationOutput {
    /// The rule without which DMS gets no answer, if the run may add it.
    pub missing_rule: Option<IngressRule>,
}

/// Input of `create-task`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateTaskInput {
    /// The run.
    pub run: Run,
    /// The source's server.
    pub source: Server,
    /// The target's server.
    pub target: Server,
    /// The way that preflight found: the network.
    pub way: UpgradeWay,
    /// What DMS is told to carry.
    pub selection: Selection,
}

/// An inbound rule of a security group: TCP, one address, one port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IngressRule {
    /// The database's security group.
    pub group_id: String,
    /// The replication instance's private address, with `/32`.
    pub cidr: String,
    /// The databases' port.
    pub port: u16,
}

/// Input of `copy-data`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CopyDataInput {
    /// The run.
    pub run: Run,
    /// What was mended so far.
    pub repairs: Vec<Repair>,
}

/// Output of `copy-data`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CopyDataOutput {
    /// The task stopped after its cached changes, no table is in error.
    pub done: bool,
    /// What the next look hopes to see.
    pub waiting_for: String,
    /// The load is over, or waits for nothing else: tables are in error.
    pub in_error: bool,
    /// Which; at most [`TableName::MOST_IN_ERROR`].
    pub tables_in_error: Vec<TableName>,
    /// How far the load is.
    pub progress: CopyProgress,
    /// What was mended so far, at most [`Repair::MOST`].
    pub repairs: Vec<Repair>,
}

/// Progress of the full load, from the task's own statistics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CopyProgress {
    /// Percent, as DMS estimates it.
    pub percent: i32,
    /// Tables loaded.
    pub tables_loaded: i32,
    /// Tables in load.
    pub tables_loading: i32,
    /// Tables still to load.
    pub tables_queued: i32,
    /// Tables in error.
    pub tables_errored: i32,
}

/// Input of `watch-copy`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WatchCopyInput {
    /// The run.
    pub run: Run,
    /// The source's server.
    pub source: Server,
    /// The target's server.
    pub target: Server,
    /// What DMS says.
    pub progress: CopyProgress,
    /// What was read at the look before; null at the first.
    #[serde(default)]
    pub earlier: Option<CopyReading>,
}

/// Output of `watch-copy`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WatchCopyOutput {
    /// How far the copy is.
    pub reading: CopyReading,
    /// What DMS noted of the tables in error, in its own words, without values of rows; `nothing` if it noted nothing.
    pub said: String,
}

/// How far the copy is, how fast, and what it costs the source. As large whatever the number of tables.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CopyReading {
    /// When, in epoch seconds of the source's clock.
    pub at: u64,
    /// Of the load, as DMS estimates it.
    pub percent: u32,
    /// Tables loaded.
    pub tables_done: u64,
    /// Tables that are carried.
    pub tables: u64,
    /// Rows on the target, as its statistics have them.
    pub rows_done: u64,
    /// Rows of the source, as its statistics have them.
    pub rows: u64,
    /// Bytes of the target's tables, without indexes.
    pub bytes_done: u64,
    /// Bytes of the source's tables, without indexes.
    pub bytes: u64,
    /// Since the look before; null where that says nothing.
    pub bytes_per_second: Option<u64>,
    /// At that rate; null without one.
    pub seconds_left: Option<u64>,
    /// WAL of the source that DMS has not confirmed.
    pub lag_bytes: u64,
    /// How long ago the source wrote the first of it, as the looks saw it; 0 where nothing is behind.
    pub lag_seconds: u64,
    /// Where the source wrote at this look and at earlier ones, oldest first; at most [`WalMark::MOST`].
    pub wal_marks: Vec<WalMark>,
    /// WAL that the source keeps for DMS.
    pub retained_wal_bytes: u64,
    /// Transactions of the source that keep DMS's slot from being made, the oldest first; at most [`Self::MOST_HELD_UP`].
    #[serde(default)]
    pub held_up: Vec<String>,
}

impl CopyReading {
    /// Most transactions that are named.
    pub const MOST_HELD_UP: usize = 3;
    /// Longest name of one, in characters.
    pub const LONGEST_HELD_UP: usize = 200;
}

/// Where the source wrote at a moment: the seconds of a lag are read off these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WalMark {
    /// When, in epoch seconds of the source's clock.
    pub at: u64,
    /// In bytes from the beginning of its WAL.
    pub written: u64,
}

impl WalMark {
    /// Most of them that travel.
    pub const MOST: usize = 12;
}

/// Input of `verify-copy`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VerifyCopyInput {
    /// The run.
    pub run: Run,
    /// The source's server.
    pub source: Server,
    /// The target's server.
    pub target: Server,
    /// How often the run went back to mend the copy: what was compared before that says nothing any more.
    pub mends: u32,
}

/// Output of `verify-copy`, once every table was compared, or cannot be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VerifyCopyOutput {
    /// Tables whose rows were found equal.
    pub tables_equal: u64,
    /// Tables that could not be compared.
    pub tables_uncompared: u64,
    /// The first of them by name, at most [`VerifyCopyOutput::LISTED`].
    pub uncompared: Vec<UncomparedTable>,
}

impl VerifyCopyOutput {
    /// How many tables that were not compared travel.
    pub const LISTED: usize = 50;
}

/// A table whose rows were not compared before the cutover.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UncomparedTable {
    /// Which one.
    pub table: TableName,
    /// Why not.
    pub why: String,
}
