//! `remove-replication`, `clean-databases`, `remove-resources`.

use serde::{Deserialize, Serialize};

use crate::{Outcome, Run, Server};

/// Input of `clean-databases`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CleanDatabasesInput {
    /// The run.
    pub run: Run,
    /// The source's server.
    pub source: Server,
    /// The target's server, if there is one.
    #[serde(default)]
    pub target: Option<Server>,
    /// `open`: both sides are cleaned, the source stays fenced. `back`: the source is as before the run.
    pub outcome: Outcome,
}

/// Input of `remove-resources`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RemoveResourcesInput {
    /// The run.
    pub run: Run,
    /// `open`: the target and its parameter group stay. `back`: what the run made of it is deleted.
    pub outcome: Outcome,
}

/// Output of `remove-resources`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RemoveResourcesOutput {
    /// Nothing is left that may go.
    pub done: bool,
    /// What the next look hopes to see.
    pub waiting_for: String,
    /// What stays although the run made it, and why; a handful of sentences.
    pub kept: Vec<String>,
}
