//! `remove-replication`, `clean-databases`, `remove-resources`.

use serde::{Deserialize, Serialize};

use crate::{Generation, Outcome, Run, Server};

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
    /// The cutover that ended so.
    pub generation: Generation,
}

/// Input of `remove-resources`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RemoveResourcesInput {
    /// The run.
    pub run: Run,
    /// `open`: the target and its parameter group stay. `back`: what the run made of it is deleted.
    pub outcome: Outcome,
    /// The cutover that ended so.
    pub generation: Generation,
    /// How much of it.
    pub part: Part,
}

/// How much `remove-resources` removes. The mark of the cutover and the working login's secret go last, after the
/// databases were cleaned: a recovery that finds the mark knows how the cutover ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Part {
    /// What cleaning the databases does not need.
    BeforeDatabases,
    /// Everything.
    All,
}

/// Output of `remove-resources`, once nothing is left that may go.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RemoveResourcesOutput {
    /// What stays although the run made it, and why; a handful of sentences.
    pub kept: Vec<String>,
    /// The same for the end of an error message: empty, or `. What stays: ..`.
    pub stays: String,
}
