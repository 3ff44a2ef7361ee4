//! `report-run`: what a run took, counted from its own history.

use serde::{Deserialize, Serialize};

use crate::Run;

use super::{Cost, DatabaseSize, InstanceShape, Repair, Warnings};

/// Input of `report-run`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReportRunInput {
    /// The run.
    pub run: Run,
    /// What check-instance saw of the instance.
    pub shape: Option<InstanceShape>,
    /// Size of what was copied.
    pub size: DatabaseSize,
    /// What was mended: a replication instance may have grown.
    pub repairs: Vec<Repair>,
    /// What stays unfinished on the target; null where the run did not come to that.
    #[serde(default)]
    pub warnings: Option<Warnings>,
    /// What stays although the run made it, and why.
    #[serde(default)]
    pub kept: Vec<String>,
}

/// Output of `report-run`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RunReport {
    /// State transitions, retries and the last state among them.
    pub transitions: u64,
    /// Calls of functions.
    pub invocations: u64,
    /// Seconds of functions, as the machine saw them: what is billed is a little less.
    pub function_seconds: f64,
    /// Those seconds times the functions' memory.
    pub gigabyte_seconds: f64,
    /// Hours from the target's first moment until the report.
    pub target_hours: f64,
    /// Hours for which the replication instance was there.
    pub replication_hours: f64,
    /// What all that costs.
    pub cost: Cost,
    /// Objects of the target that stay unfinished, as the run's output names them.
    pub unfinished: u64,
    /// What stays although the run made it, and why: a target that could not be asked costs money until a person deletes it.
    pub kept: Vec<String>,
}
