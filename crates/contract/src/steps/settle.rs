//! `settle-target`: what is finished after OPEN, and what cannot be.

use serde::{Deserialize, Serialize};

use crate::{Run, Server};

/// Input of `settle-target`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SettleTargetInput {
    /// The run.
    pub run: Run,
    /// The source's server.
    pub source: Server,
    /// The target's server.
    pub target: Server,
    /// Settings of the instance that stay unset: named first among the warnings. The recovery does not know them.
    #[serde(default)]
    pub unset: Vec<Unfinished>,
}

/// Output of `settle-target`, once everything that can be finished is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SettleTargetOutput {
    /// What stays unfinished: the run goes on, and ends as succeeded with these warnings.
    pub warnings: Warnings,
}

/// Objects of the target that stay unfinished.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Warnings {
    /// How many there are.
    pub count: u64,
    /// The first [`Self::NAMED`] of them.
    pub named: Vec<Unfinished>,
}

impl Warnings {
    /// How many are named; the others are counted.
    pub const NAMED: usize = 20;

    /// These as well, before the others.
    #[must_use]
    pub fn after(self, first: Vec<Unfinished>) -> Self {
        let count = self.count + first.len() as u64;
        let named = first.into_iter().chain(self.named).take(Self::NAMED).collect();
        Self { count, named }
    }
}

/// An object of the target that could not be finished.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Unfinished {
    /// What it is, e.g. `foreign key app.o2: o2_o1_fkey`: a constraint stays NOT VALID, a materialized view keeps its content.
    pub object: String,
    /// The server's words.
    pub reason: String,
    /// The SQL that would finish it, in its order.
    pub statements: String,
}

impl Unfinished {
    /// Longest reason, in characters.
    pub const LONGEST_REASON: usize = 300;
    /// Longest statements, in characters.
    pub const LONGEST_STATEMENTS: usize = 600;
}
