//! `measure-lobs`, `reload-tables`, `compare-tables`, `restore-lob-mode`: tables in error are loaded again.

use serde::{Deserialize, Serialize};

use crate::{Run, Server};

use super::{Repair, TableName};

/// Input of `measure-lobs`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MeasureLobsInput {
    /// The run.
    pub run: Run,
    /// The source's server.
    pub source: Server,
    /// The tables in error, at most [`TableName::MOST_IN_ERROR`].
    pub tables: Vec<TableName>,
    /// How often tables were loaded again before.
    pub reloads: u32,
}

/// Output of `measure-lobs`, once every table was measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MeasureLobsOutput {
    /// A limit for each table.
    pub limits: Vec<LobLimit>,
}

/// How the large values of a table travel while it is loaded again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LobLimit {
    /// Schema, unquoted.
    pub schema: String,
    /// Table, unquoted.
    pub table: String,
    /// In limited LOB mode, with this limit in KB; 0: as the task has it.
    pub kilobytes: u32,
}

/// Input of `reload-tables`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReloadTablesInput {
    /// The run.
    pub run: Run,
    /// The tables in error.
    pub limits: Vec<LobLimit>,
    /// What was mended so far.
    pub repairs: Vec<Repair>,
}

/// Output of `reload-tables`, once every table has been loaded again, or is in error again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReloadTablesOutput {
    /// The tables that are loaded.
    pub reloaded: Vec<TableName>,
    /// The tables that are in error again.
    pub failed: Vec<TableName>,
    /// What was mended so far, at most [`Repair::MOST`].
    pub repairs: Vec<Repair>,
}

/// Input of `compare-tables`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CompareTablesInput {
    /// The run.
    pub run: Run,
    /// The source's server.
    pub source: Server,
    /// The target's server.
    pub target: Server,
    /// The tables that were loaded again.
    pub tables: Vec<TableName>,
}
