//! `plan-run`: what a run would do, how long, how large, how dear. Pure over what preflight found.

use serde::{Deserialize, Serialize};

use crate::{CopyEngine, ExpectedOutage, Findings, Run, SwitchRecord};

use super::{DatabaseSize, InstanceShape, SourceLoad, UpgradeWay};

/// Input of `plan-run`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlanRunInput {
    /// The run.
    pub run: Run,
    /// What check-instance saw of the instance; absent if it is not there.
    pub shape: Option<InstanceShape>,
    /// The way that was found; absent if there is none.
    pub way: Option<UpgradeWay>,
    /// Size of what is copied.
    pub size: DatabaseSize,
    /// What else of the source decides how long it takes.
    pub load: SourceLoad,
    /// What was found out about the instance.
    #[serde(default)]
    pub instance: Findings,
    /// What was found out about the database.
    #[serde(default)]
    pub database: Findings,
}

/// Output of `plan-run`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlanRunOutput {
    /// The run, with the copy engine that was chosen.
    pub run: Run,
    /// The plan with that engine.
    pub plan: Plan,
    /// What was found out about the instance and concerns that engine.
    pub instance: Findings,
    /// What was found out about the database and concerns that engine.
    pub database: Findings,
}

/// What a run would do. Every figure is an estimate by the rates of `plan-run`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Plan {
    /// Phases in the order of the run.
    pub phases: Vec<PlannedPhase>,
    /// All of them together, in seconds.
    pub seconds: f64,
    /// What clients that write will see.
    pub outage: PlannedOutage,
    /// Everything that the run makes.
    pub creates: Vec<Created>,
    /// What it costs.
    pub cost: Cost,
    /// What only the whole picture shows.
    pub findings: Findings,
    /// What holds for every run and no check can see.
    pub notes: Vec<String>,
    /// The copy engine that it is for.
    pub engine: CopyEngine,
    /// Why that one.
    pub why: String,
    /// The engines side by side, where the input left the choice to the run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub engines: Vec<PlannedEngine>,
    /// What failing back takes, if the input asks for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fail_back: Option<PlannedFailBack>,
}

/// For how long the source would follow the target after OPEN, what that costs, and what it depends on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlannedFailBack {
    /// For how many hours after OPEN.
    pub keep_hours: u32,
    /// Until when, in seconds from the start of the run.
    pub until_seconds: f64,
    /// What both instances cost an hour, in US dollars.
    pub usd_per_hour: f64,
    /// The same for [`Self::keep_hours`], with its parts.
    pub cost: Cost,
    /// How much of it there would be no need to pay if nobody could fail back, in US dollars.
    pub extra_usd: f64,
    /// What must be so, a sentence each.
    pub needs: Vec<String>,
    /// What stays as it is afterwards.
    pub stays: Vec<String>,
    /// What makes it impossible, or is missing on the source afterwards.
    pub not_carried: Vec<String>,
}

/// A copy engine beside others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlannedEngine {
    /// Which.
    pub engine: CopyEngine,
    /// How many blockers there are with it, those of every engine included.
    pub blockers: usize,
    /// The first blockers that only it has, in words.
    pub blocked_by: Vec<String>,
    /// Expected length of the run in seconds.
    pub seconds: f64,
    /// Expected length of the outage in milliseconds.
    pub outage_milliseconds: f64,
    /// Expected cost in US dollars.
    pub usd: f64,
}

impl PlannedEngine {
    /// How many blockers are named.
    pub const NAMED: usize = 5;
}

/// A phase, with the steps that would run in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlannedPhase {
    /// Name for people, as reports have it.
    pub name: String,
    /// Expected length in seconds.
    pub seconds: f64,
    /// How much of it is AWS's delay, whatever the database's size.
    pub delay_seconds: f64,
    /// Steps in order.
    pub steps: Vec<String>,
}

/// What clients see, from the last accepted write to the first on the target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlannedOutage {
    /// Expected length in milliseconds.
    pub milliseconds: f64,
    /// What it is made of.
    pub parts: Vec<OutagePart>,
    /// What clients see, for each time at which the record may be switched; the one that [`Self::milliseconds`] is for first.
    #[serde(default)]
    pub switches: Vec<PlannedSwitch>,
    /// After so many seconds everything goes back.
    pub deadline_seconds: u32,
    /// An interruption before: the source's reboot; absent if none is needed.
    pub reboot_seconds: Option<f64>,
}

/// The outage if the record is switched then.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlannedSwitch {
    /// Never `auto`.
    pub record: SwitchRecord,
    /// Of clients that are connected when the cutover begins.
    pub connected: ExpectedOutage,
    /// Of clients that open a connection meanwhile.
    pub new: ExpectedOutage,
}

/// A part of the outage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OutagePart {
    /// What happens.
    pub what: String,
    /// For how long.
    pub milliseconds: f64,
}

/// Something that the run makes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Created {
    /// Kind, as AWS calls it.
    pub kind: String,
    /// Name.
    pub name: String,
    /// How large.
    pub size: String,
    /// It is there after the run.
    pub stays: bool,
}

/// An estimate in US dollars, by the dated table of prices in the repository.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Cost {
    /// For the whole run; parts without a known price are left out and named.
    pub usd: f64,
    /// What it is made of.
    pub parts: Vec<CostPart>,
    /// How the amounts came about: estimated or counted. The prices are list prices either way.
    pub basis: String,
    /// Month of the table of prices, and of what Region it is.
    pub prices_of: String,
    /// What has no price in the table.
    pub unpriced: Vec<String>,
}

/// A part of the cost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CostPart {
    /// What costs.
    pub what: String,
    /// How much.
    pub usd: f64,
}
