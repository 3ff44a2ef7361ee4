//! `lower-ttl`, `guard-cutover`, `arm-deadline`, `shut-target`, `watch-clients`, `fence-source`, `swap-record`, `drain-source`, `complete-target`,
//! `open-target`, `confirm-cutover`, `unfence-source`, `restore-record`, `find-servers`.

use serde::{Deserialize, Serialize};

use crate::{Cutover, Forecast, Generation, Outcome, Run, Server, SwitchRecord};

/// Output of `lower-ttl`, once the lower TTL is in sync on all name servers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LowerTtlOutput {
    /// The TTL before, in seconds: this long old answers may live on.
    pub old_ttl_seconds: u32,
    /// From the request to the moment when every name server had the change, as Route 53 says, in milliseconds. Null if an
    /// earlier attempt made the change and nobody waited for it.
    #[serde(default)]
    pub propagation_milliseconds: Option<u64>,
}

/// Input of `guard-cutover`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GuardCutoverInput {
    /// The run.
    pub run: Run,
    /// The source's server.
    pub source: Server,
    /// The target's server.
    pub target: Server,
    /// The cutover that is about to begin.
    #[serde(default = "Generation::forward")]
    pub generation: Generation,
    /// The cutover is held, for a person or until the target is protected: what ends the run is looked for, nothing is made ready, and it is never done.
    #[serde(default)]
    pub held: bool,
    /// The record leads to the target already, which is shut: the owner's login is not tried there.
    #[serde(default)]
    pub switched: bool,
    /// What `lower-ttl` measured.
    #[serde(default)]
    pub propagation_milliseconds: Option<u64>,
    /// When the machine began to ask, as RFC 3339; absent where it does not wait.
    #[serde(default)]
    pub since: Option<String>,
    /// A person has accepted the outage that is forecast, whatever the limits say.
    #[serde(default)]
    pub outage_accepted: bool,
}

/// Output of `guard-cutover`, once every guardrail holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GuardCutoverOutput {
    /// From commit on the source to apply on the target, measured by a marker row, in milliseconds.
    pub lag_milliseconds: u64,
    /// When the record is switched.
    pub switch: SwitchDecision,
    /// The outage to expect.
    pub forecast: Forecast,
}

/// When the record is switched, and why then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SwitchDecision {
    /// Never `auto`.
    pub record: SwitchRecord,
    /// For people.
    pub reason: String,
}

/// What `arm-deadline` arms.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Arming {
    /// The change of the record before the fence.
    Switch,
    /// The fence.
    #[default]
    Fence,
}

/// Input of `arm-deadline`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ArmDeadlineInput {
    /// The run.
    pub run: Run,
    /// The source's server, for the schedule to carry.
    pub source: Server,
    /// The target's server, for the schedule to carry.
    pub target: Server,
    /// The cutover that begins.
    pub generation: Generation,
    /// What begins.
    #[serde(default)]
    pub part: Arming,
    /// With `fence`: what was armed for the change of the record, if the record was switched first.
    #[serde(default)]
    pub switch: Option<Cutover>,
}

/// Output of `arm-deadline`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ArmDeadlineOutput {
    /// The deadline that the schedule enforces.
    pub cutover: Cutover,
    /// How long a state under the fence waits for its step, in seconds: the steps end by themselves at the deadline, and this
    /// is for one that does not answer at all.
    pub step_seconds: u32,
}

/// Output of `shut-target`: the applications' sessions on the source when the record began to change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SessionsBefore {
    /// How many there were.
    pub sessions: u64,
    /// When, in milliseconds since the epoch, by the source's clock.
    pub at_epoch_ms: i64,
}

/// Input of `watch-clients`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WatchClientsInput {
    /// The run.
    pub run: Run,
    /// The source's server.
    pub source: Server,
    /// What was armed for the change of the record.
    pub cutover: Cutover,
    /// The sessions at its beginning.
    pub before: SessionsBefore,
    /// What the gate expected.
    pub forecast: Forecast,
}

/// Input of the steps between fence and open that talk to both sides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UnderFence {
    /// The run.
    pub run: Run,
    /// The source's server.
    pub source: Server,
    /// The target's server.
    pub target: Server,
    /// The deadline.
    pub cutover: Cutover,
}

/// Output of `fence-source`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FenceSourceOutput {
    /// WAL position after which nobody but the run has written, e.g. `4AF/B00000D0`.
    pub fence_lsn: String,
    /// Sessions that were ended.
    pub sessions_ended: u64,
    /// From the first REVOKE to the proof, in milliseconds.
    pub milliseconds: u64,
}

/// Input of `swap-record`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SwapRecordInput {
    /// The run.
    pub run: Run,
    /// The source's server, which the record must name now.
    pub source: Server,
    /// The target's server, which the record shall name.
    pub target: Server,
    /// The cutover, before OPEN: nothing is submitted unless it is armed, undecided and in time. Null after OPEN.
    #[serde(default)]
    pub cutover: Option<Cutover>,
    /// Which cutover moves the record.
    #[serde(default = "Generation::forward")]
    pub generation: Generation,
    /// Not done before the change is in sync on all name servers: asked for before the fence and after OPEN, never under the fence.
    #[serde(default)]
    pub await_sync: bool,
}

/// Output of `swap-record` and `restore-record`: the change is submitted, or the record is as wanted already.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RecordOutput {
    /// In sync on all name servers.
    pub in_sync: bool,
}

/// Output of `drain-source`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DrainSourceOutput {
    /// From the marker's commit on the source to its sight on the target, in milliseconds.
    pub milliseconds: u64,
}

/// Output of `complete-target`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CompleteTargetOutput {
    /// Sequences moved.
    pub sequences: u64,
    /// Constraints, triggers and columns put back.
    pub objects: u64,
    /// In milliseconds.
    pub milliseconds: u64,
}

/// Output of `open-target` and `unfence-source`: who holds the run's one row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OutcomeOutput {
    /// `open`: only forward. `back`: the source serves.
    pub outcome: Outcome,
}

/// Input of `find-servers`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FindServersInput {
    /// The run.
    pub run: Run,
    /// The cutover that may be under way.
    pub generation: Generation,
}

/// Input of `confirm-cutover`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConfirmCutoverInput {
    /// The run.
    pub run: Run,
    /// The target's server.
    pub target: Server,
}

/// Output of `find-servers`: what `recover` must know and may find half made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FindServersOutput {
    /// The source's server; none if there is no such instance, and no cutover was ever armed.
    pub source: Option<Server>,
    /// The target's server, if the run's target exists and has an endpoint.
    pub target: Option<Server>,
}

/// Input of `unfence-source`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UnfenceSourceInput {
    /// The run.
    pub run: Run,
    /// The source's server.
    pub source: Server,
    /// The target's server; absent or null if there is none.
    #[serde(default)]
    pub target: Option<Server>,
    /// The cutover to undo.
    pub generation: Generation,
}

/// Input of `restore-record`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RestoreRecordInput {
    /// The run.
    pub run: Run,
    /// The source's server.
    pub source: Server,
    /// `back`: value and TTL as before; `open`: only the TTL.
    pub outcome: Outcome,
    /// The cutover that ended so.
    pub generation: Generation,
}
