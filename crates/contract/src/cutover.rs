//! The cutover under way, and how it ended: what travels to every step that may shut, open or undo something.

use serde::{Deserialize, Serialize};

/// Which cutover of a run: 1 leads to the target, later ones back again. A call for another one than the current changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Generation(u16);

impl Generation {
    /// From the source to the target.
    pub const FORWARD: Self = Self(1);

    /// [`Self::FORWARD`], for inputs in which it may be left out.
    pub fn forward() -> Self {
        Self::FORWARD
    }

    /// From a number of the databases; none if it is no generation.
    pub fn from_number(number: i32) -> Option<Self> {
        u16::try_from(number).ok().filter(|number| *number > 0).map(Self)
    }

    /// All up to this one, this one last.
    pub fn and_earlier(self) -> impl Iterator<Item = Self> {
        (1..=self.0).map(Self)
    }

    /// The one after it.
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// As the databases count it.
    pub fn number(self) -> i32 {
        i32::from(self.0)
    }
}

impl std::fmt::Display for Generation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// The cutover under way: it travels to every step between fence and OPEN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Cutover {
    /// Which one.
    pub generation: Generation,
    /// Milliseconds since the epoch after which nothing may open and everything is rolled back.
    pub deadline_epoch_ms: i64,
}

/// How a cutover ended: the answer of open and of unfence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// The target is open to applications: only forward.
    Open,
    /// The source serves; the target never opens.
    Back,
}
