//! Input and output of every step, by phase, and the list of steps in the order of the run.

mod cleanup;
mod cutover;
mod mend;
mod people;
mod plan;
mod preflight;
mod repair;
mod replication;
mod report;
mod settle;
mod source;
mod target;

pub use cleanup::*;
pub use cutover::*;
pub use mend::*;
pub use people::*;
pub use plan::*;
pub use preflight::*;
pub use repair::*;
pub use replication::*;
pub use report::*;
pub use settle::*;
pub use source::*;
pub use target::*;

use serde::{Deserialize, Serialize};

use crate::{Run, Server};

/// Every step in the order of the run: folder, crate, function and state have this name.
pub const STEPS: &[&str] = &[
    "start-run",
    "check-instance",
    "check-database",
    "plan-run",
    "tell-people",
    "ask-approval",
    "find-window",
    "configure-source",
    "reboot-source",
    "prepare-source",
    "snapshot-source",
    "restore-target",
    "isolate-target",
    "upgrade-target",
    "prepare-target",
    "create-replication",
    "copy-data",
    "watch-copy",
    "measure-lobs",
    "reload-tables",
    "compare-tables",
    "restore-lob-mode",
    "rebuild-target",
    "analyze-target",
    "resume-replication",
    "verify-copy",
    "lower-ttl",
    "guard-cutover",
    "arm-deadline",
    "fence-source",
    "swap-record",
    "drain-source",
    "complete-target",
    "open-target",
    "confirm-cutover",
    "resume-jobs",
    "settle-target",
    "find-servers",
    "unfence-source",
    "restore-record",
    "remove-replication",
    "clean-databases",
    "remove-resources",
    "report-run",
];

/// Functions that show pages to people: browsers call them, no machine does.
pub const PAGES: &[&str] = &["take-answer"];

/// Input of a step that talks to AWS only.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RunOnly {
    /// The run.
    pub run: Run,
}

/// Input of a step that talks to the source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OnSource {
    /// The run.
    pub run: Run,
    /// The source's server.
    pub source: Server,
}

/// Input of a step that talks to both sides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OnBoth {
    /// The run.
    pub run: Run,
    /// The source's server.
    pub source: Server,
    /// The target's server.
    pub target: Server,
}

/// Answer of a step that the machine calls again until it is done. Each call observes, does the next thing that can
/// be done without waiting, and leaves; so a call that is repeated or lost changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Look {
    /// Nothing is left to do.
    pub done: bool,
    /// What the next look hopes to see, for people: "instance orders-db is rebooting".
    pub waiting_for: String,
}

impl Look {
    /// Nothing is left to do.
    pub fn done() -> Self {
        Self { done: true, waiting_for: String::new() }
    }

    /// Look again later.
    pub fn waiting(waiting_for: impl Into<String>) -> Self {
        Self { done: false, waiting_for: waiting_for.into() }
    }
}
