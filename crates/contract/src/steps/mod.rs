//! Input and output of every step, by phase, and the list of steps in the order of the run.

mod cleanup;
mod clients;
mod cutover;
mod fail_back;
mod list;
mod mend;
mod native;
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
pub use clients::*;
pub use cutover::*;
pub use fail_back::*;
pub use list::STEPS;
pub use mend::*;
pub use native::*;
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

use crate::{Phase, Run, Server};

/// A step as its folder declares it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepInfo {
    /// Its name, in kebab case.
    pub name: &'static str,
    /// The phase that it belongs to; none for a step of several.
    pub phase: Option<Phase>,
    /// The copy engine whose step it is; none for a step of every run.
    pub engine: Option<&'static str>,
    /// Whether every upgrade that goes well, with that engine, calls it.
    pub runs_always: bool,
    /// Memory of its function, in MB: Lambda bills seconds times memory.
    pub memory_megabytes: u32,
}

impl StepInfo {
    /// The step of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        STEPS.iter().find(|step| step.name == name)
    }
}

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

/// Output of a step with nothing to tell but that it is done. In JSON `{}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoOutput {}
