//! `prepare-fail-back`, `follow-target`, `schedule-checks`, `find-fail-back`, `begin-fail-back`, `check-fail-back`, `close-fail-back`.
//!
//! In the inputs of the last four, the run is the one that fails back ([`crate::Run::failing_back`]): the new server is its source,
//! the old one its target.

use serde::{Deserialize, Serialize};

use crate::{Generation, Run, Server};

/// A fail-back path that is open: what its schedules carry, so that nothing else has to know it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FailBackPath {
    /// The run as failing back sees it. Its execution is the upgrade's.
    pub run: Run,
    /// The new server, which serves.
    pub source: Server,
    /// The old server, which follows.
    pub target: Server,
}

/// Output of `schedule-checks`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ScheduleChecksOutput {
    /// When the path closes, for people: `2027-02-07T02:00:00Z`.
    pub closes: String,
}

/// The input of the machine that fails back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FailBackRequest {
    /// The run whose fail-back path is taken.
    pub run_id: String,
    /// Changes on the new server that are accepted although the old one does not have them, in the words in which they are
    /// named: `table shop.audit: new`.
    #[serde(default)]
    pub accept: Vec<String>,
}

/// Input of `find-fail-back`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FindFailBackInput {
    /// The execution that fails back.
    pub execution_arn: String,
    /// What it was started with; the recovery knows only the execution.
    #[serde(default)]
    pub request: Option<serde_json::Value>,
}

/// Output of `find-fail-back`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FindFailBackOutput {
    /// The run that fails back, by the execution that was asked about.
    pub run: Run,
    /// The new server.
    pub source: Server,
    /// The old server.
    pub target: Server,
    /// What is accepted.
    pub accept: Vec<String>,
}

/// Input of `begin-fail-back`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BeginFailBackInput {
    /// The run that fails back.
    pub run: Run,
    /// The new server.
    pub source: Server,
    /// The old server.
    pub target: Server,
    /// Begin nothing; answer what this execution began.
    #[serde(default)]
    pub only_find: bool,
    /// Changes on the new server that were accepted: from now on, only others count.
    #[serde(default)]
    pub accept: Vec<String>,
}

/// Output of `begin-fail-back`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BeginFailBackOutput {
    /// The cutover that the execution began; null if it began none.
    pub generation: Option<Generation>,
}

/// Input of `check-fail-back`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CheckFailBackInput {
    /// The run that would fail back.
    pub run: Run,
    /// The new server.
    pub source: Server,
    /// The old server.
    pub target: Server,
    /// What does not count, in the words in which it is named.
    #[serde(default)]
    pub accept: Vec<String>,
    /// Note that people were told this.
    #[serde(default)]
    pub told: Option<String>,
}

/// Output of `check-fail-back`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CheckFailBackOutput {
    /// What would be lost or left behind by failing back now; none if nothing would.
    pub void: Vec<String>,
    /// The same in one text; empty if nothing would be lost.
    pub text: String,
    /// People were not told this text yet.
    pub is_news: bool,
    /// From a commit on the new server to its sight on the old one, in milliseconds; null if it took longer than the limit.
    pub lag_milliseconds: Option<u64>,
    /// WAL that the new server keeps for the old one, in bytes.
    pub retained_wal_bytes: u64,
}
