//! `restore-target`, `isolate-target`, `upgrade-target`, `rebuild-target`, `analyze-target`,
//! `settle-target`.

use serde::{Deserialize, Serialize};

use crate::{Run, Server};

use super::UpgradeWay;

/// Input of `restore-target`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RestoreTargetInput {
    /// The run.
    pub run: Run,
    /// The source's server: the database's name is carried over.
    pub source: Server,
}

/// Output of `restore-target`, once the copy is available, at the source's version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RestoreTargetOutput {
    /// The copy's server.
    pub target: Server,
}

/// Input of `upgrade-target`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpgradeTargetInput {
    /// The run.
    pub run: Run,
    /// The way that preflight found.
    pub way: UpgradeWay,
}
