//! `start-run`, `check-instance`, `check-database`: nothing is changed.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Findings, Run, Server};

/// Input of `start-run`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StartRunInput {
    /// ARN of the execution that carries the run (not of the one that goes back for it).
    pub execution_arn: String,
    /// The execution's input; absent where only the ARN is known: then Step Functions is asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<Value>,
}

/// Output of `start-run`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StartRunOutput {
    /// The run, every default filled in.
    pub run: Run,
    /// Whether the execution came as far as changing anything; false for one that begins.
    pub has_changed_something: bool,
}

/// Output of `check-instance`: findings about AWS resources, and what later steps need to know of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CheckInstanceOutput {
    /// What was found.
    pub findings: Findings,
    /// The source's server; absent if the instance does not exist or has no endpoint (then there is a blocker).
    pub source: Option<Server>,
    /// The way that was found; absent if there is none (then there is a blocker).
    pub way: Option<UpgradeWay>,
    /// What a plan needs to know of the instance; absent if it does not exist.
    pub shape: Option<InstanceShape>,
}

/// What a plan needs to know of the instance and its record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InstanceShape {
    /// RDS class.
    pub class: String,
    /// Allocated storage.
    pub storage_gib: u32,
    /// How far it grows by itself; absent if it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_limit_gib: Option<u32>,
    /// A standby in another zone.
    pub multi_az: bool,
    /// Automated backups are kept.
    pub backups: bool,
    /// The record's TTL as it is.
    pub ttl_seconds: u32,
    /// Seconds until Secrets Manager rotates the owner's secret at the latest; negative if that is overdue, absent if it does
    /// not rotate it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotates_in_seconds: Option<i64>,
}

/// How the source's version reaches the wanted one, and with which DMS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpgradeWay {
    /// Version of the source, e.g. `13.23`.
    pub from: String,
    /// Versions to upgrade the copy to, in order; the last is the wanted one.
    pub hops: Vec<UpgradeHop>,
    /// DMS engine version to pin; absent where DMS does not copy, or offers none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dms_engine_version: Option<String>,
    /// Subnets of the replication instance: those of the source's subnet group.
    pub subnet_ids: Vec<String>,
    /// Security groups of the replication instance: those of the source.
    pub security_group_ids: Vec<String>,
}

/// One upgrade of the copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpgradeHop {
    /// Version to upgrade to.
    pub version: String,
    /// Parameter group family of that version, as the API names it.
    pub family: String,
}

/// Output of `check-database`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CheckDatabaseOutput {
    /// What was found.
    pub findings: Findings,
    /// How large the copy will be.
    pub size: DatabaseSize,
    /// What else a plan needs to know.
    pub load: SourceLoad,
}

/// What a plan needs to know of the source beside its size. Bounded.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SourceLoad {
    /// Bytes of the indexes that are set aside and built again.
    pub index_bytes: u64,
    /// WAL that was written a second while preflight looked.
    pub wal_bytes_per_second: u64,
    /// Logical decoding is on already.
    pub logical: bool,
    /// The longest values that travel apart from their row, longest first.
    pub longest: Vec<LongValue>,
    /// Tables that clients wrote to while preflight looked, the busiest first.
    #[serde(default)]
    pub busy: Vec<BusyTable>,
}

impl SourceLoad {
    /// How many columns with long values, and how many busy tables, travel.
    pub const LISTED: usize = 10;
}

/// A table that clients write to all the time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BusyTable {
    /// Schema and table, quoted.
    pub table: String,
    /// Rows that were inserted, updated or deleted.
    pub changes_per_minute: u64,
    /// Rows, as the server estimates them.
    pub rows: u64,
    /// Bytes on disk, without indexes.
    pub bytes: u64,
    /// It has a primary key.
    pub has_key: bool,
}

/// The longest value of a column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LongValue {
    /// Schema, table and column, quoted.
    pub column: String,
    /// Its length in bytes: of the value, or as it is stored where only that is known without reading it.
    pub bytes: u64,
    /// A sample was read, or the length is that on disk: the true one may be longer.
    pub estimate: bool,
}

/// Size of what is copied.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DatabaseSize {
    /// Tables that are carried.
    pub tables: u64,
    /// Bytes of the database, indexes included.
    pub bytes: u64,
    /// Sequences.
    pub sequences: u64,
}
