//! `restore-target`, `isolate-target`, `upgrade-target`, `rebuild-target`, `protect-target`, `analyze-target`.

use serde::{Deserialize, Serialize};

use crate::{Run, Server};

use super::{Unfinished, UpgradeWay};

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

/// How far `protect-target` goes in one state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ProtectPart {
    /// Standby and backups are asked for, and nothing is waited for.
    Begin,
    /// .. until they are as on the source.
    Await,
    /// They are as on the source; whatever else only protects or watches is set too.
    Finish,
}

/// Input of `protect-target`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProtectTargetInput {
    /// The run.
    pub run: Run,
    /// How far it goes.
    pub part: ProtectPart,
}

/// Output of `protect-target`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProtectTargetOutput {
    /// Settings of the source that RDS refused for the target: the run goes on, and its warnings name them.
    pub unset: Vec<Unfinished>,
}
