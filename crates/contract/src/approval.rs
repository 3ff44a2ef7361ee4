//! Who is asked before users are interrupted.

use serde::{Deserialize, Serialize};

/// Which interruptions a person must agree to. The run sends the question to the stack's topic. If nobody answers,
/// the run treats it as a no.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Approval {
    /// Ask before the source is restarted, if a restart is needed. A no or no answer leaves everything as it was.
    pub reboot: bool,
    /// Ask before the cutover. Meanwhile, replication continues and the run watches it.
    pub cutover: bool,
    /// Time to answer each question, in seconds, from 10 seconds to one day.
    #[cfg_attr(feature = "schema", schemars(range(min = Approval::WAIT_SECONDS.0, max = Approval::WAIT_SECONDS.1)))]
    pub wait_seconds: u32,
    /// What happens after a no to the cutover, or if nobody answers.
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

/// What happens after a no to the cutover, or if nobody answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum OnRejectedCutover {
    /// The run rolls back: it deletes what it created, and the source serves as before.
    #[default]
    GoBack,
    /// Replication continues, and the run asks again at once. After the second no, it rolls back.
    KeepReplicating,
}
