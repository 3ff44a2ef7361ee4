//! `check-clients`, `switch-clients`, `restore-clients`: clients that do not follow the record.

use serde::{Deserialize, Serialize};

use crate::{Findings, Generation, Outcome, Run, Server};

/// Input of `check-clients`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CheckClientsInput {
    /// The run.
    pub run: Run,
    /// The source's server.
    pub source: Server,
    /// What `check-instance` found.
    pub findings: Findings,
}

/// Output of `check-clients`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CheckClientsOutput {
    /// What `check-instance` found, and what was found about clients.
    pub findings: Findings,
}

/// Output of `switch-clients`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SwitchClientsOutput {
    /// Secrets that name the target now.
    pub secrets: u64,
    /// Hooks that answered.
    pub hooks: u64,
    /// From the first call to the last answer, in milliseconds.
    pub milliseconds: u64,
}

/// Input of `restore-clients`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RestoreClientsInput {
    /// The run.
    pub run: Run,
    /// The source's server.
    pub source: Server,
    /// The target's server; absent or null if there is none any more.
    #[serde(default)]
    pub target: Option<Server>,
    /// Only `back` moves clients.
    pub outcome: Outcome,
    /// The cutover that ended so.
    pub generation: Generation,
}

/// Output of `restore-clients`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RestoreClientsOutput {
    /// Secrets that name the source again.
    pub secrets: u64,
    /// Secrets that somebody else changed meanwhile, so the run left them as they are.
    pub left: u64,
    /// Hooks that answered.
    pub hooks: u64,
}
