//! Who is asked before users are interrupted.

use serde::{Deserialize, Serialize};

/// Which interruptions a person must say yes to. The question goes to the stack's topic; silence means no.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Approval {
    /// Ask before the source is restarted, where that is needed. A no, or silence, leaves everything as it was.
    pub reboot: bool,
    /// Ask before the cutover, while replication goes on and is watched.
    pub cutover: bool,
    /// Time in which an answer must come, in seconds, for each question: 10 seconds to a day.
    #[cfg_attr(feature = "schema", schemars(range(min = Approval::WAIT_SECONDS.0, max = Approval::WAIT_SECONDS.1)))]
    pub wait_seconds: u32,
    /// What a no to the cutover, or silence, does.
    pub on_rejected_cutover: OnRejectedCutover,
}

impl Approval {
    /// Least and most of `wait_seconds`.
    pub const WAIT_SECONDS: (u32, u32) = (10, 86_400);
}

impl Default for Approval {
    fn default() -> Self {
        Self { reboot: false, cutover: false, wait_seconds: 86_400, on_rejected_cutover: OnRejectedCutover::default() }
    }
}

/// What a no to the cutover, or silence, does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum OnRejectedCutover {
    /// The run goes back: what it made is removed, the source serves as before.
    #[default]
    GoBack,
    /// Replication goes on and the question is asked again at once; the second no goes back.
    KeepReplicating,
}
