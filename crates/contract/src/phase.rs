//! The phases of a run, as people are told of them: in the plan, in notifications, on the dashboard, in the rehearsal.

use serde::{Deserialize, Serialize};

/// A part of the run that means something to people. Steps declare theirs (`functions/<step>/step.yaml`); the machine says
/// with which state each begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Phase {
    /// Everything is checked, and nothing touched.
    #[serde(rename = "preflight")]
    Preflight,
    /// Parameters, roles and the schema of the run.
    #[serde(rename = "prepare the source")]
    PrepareSource,
    /// Snapshot and restore.
    #[serde(rename = "copy the instance")]
    CopyInstance,
    /// Hop by hop to the wanted version.
    #[serde(rename = "upgrade the copy")]
    UpgradeCopy,
    /// The target and DMS are made ready for the load.
    #[serde(rename = "prepare the target")]
    PrepareTarget,
    /// The full load.
    #[serde(rename = "load")]
    Load,
    /// Tables in error, with other settings for their large values.
    #[serde(rename = "load tables again")]
    LoadAgain,
    /// What was set aside for the load.
    #[serde(rename = "rebuild indexes and statistics")]
    Rebuild,
    /// Changes are followed, and both sides compared.
    #[serde(rename = "catch up and verify")]
    CatchUp,
    /// The record's TTL, the approval, the guardrails.
    #[serde(rename = "make ready for the cutover")]
    MakeReady,
    /// From the fence to OPEN: the only one that users notice.
    #[serde(rename = "cutover")]
    Cutover,
    /// The target serves; what need not hold up users is finished.
    #[serde(rename = "confirm")]
    Confirm,
    /// The run's own things are removed.
    #[serde(rename = "finish")]
    Finish,
    /// The source serves again, and the run's own things are removed.
    #[serde(rename = "rollback")]
    Rollback,
}

impl Phase {
    /// All of them, in the order of the run; the rollback, which leaves that order, is last.
    pub const ALL: &[Self] = &[
        Self::Preflight,
        Self::PrepareSource,
        Self::CopyInstance,
        Self::UpgradeCopy,
        Self::PrepareTarget,
        Self::Load,
        Self::LoadAgain,
        Self::Rebuild,
        Self::CatchUp,
        Self::MakeReady,
        Self::Cutover,
        Self::Confirm,
        Self::Finish,
        Self::Rollback,
    ];

    /// Its name for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Preflight => "preflight",
            Self::PrepareSource => "prepare the source",
            Self::CopyInstance => "copy the instance",
            Self::UpgradeCopy => "upgrade the copy",
            Self::PrepareTarget => "prepare the target",
            Self::Load => "load",
            Self::LoadAgain => "load tables again",
            Self::Rebuild => "rebuild indexes and statistics",
            Self::CatchUp => "catch up and verify",
            Self::MakeReady => "make ready for the cutover",
            Self::Cutover => "cutover",
            Self::Confirm => "confirm",
            Self::Finish => "finish",
            Self::Rollback => "rollback",
        }
    }

    /// Its place on the dashboard. A number is never given to another phase, and there is room between them: a new phase
    /// renumbers nothing for runs under way.
    pub const fn number(self) -> u32 {
        match self {
            Self::Preflight => 10,
            Self::PrepareSource => 20,
            Self::CopyInstance => 30,
            Self::UpgradeCopy => 40,
            Self::PrepareTarget => 50,
            Self::Load => 60,
            Self::LoadAgain => 65,
            Self::Rebuild => 70,
            Self::CatchUp => 80,
            Self::MakeReady => 90,
            Self::Cutover => 100,
            Self::Confirm => 110,
            Self::Finish => 120,
            Self::Rollback => 130,
        }
    }

    /// What a person should know when it begins.
    pub const fn begins(self) -> &'static str {
        match self {
            Self::Preflight => "the run checks all preconditions and changes nothing",
            Self::PrepareSource => {
                "preflight found no blockers; the run prepares the source, which may require a restart of the source"
            }
            Self::CopyInstance => {
                "the run restores the copy from a snapshot of the source; the source serves applications as before"
            }
            Self::UpgradeCopy => "the run upgrades the copy; the source serves applications as before",
            Self::PrepareTarget => {
                "the run prepares the copy to receive the source's data; the source serves applications as before"
            }
            Self::Load => {
                "replication brings the source's rows and changes to the copy; the source serves applications as before"
            }
            Self::LoadAgain => {
                "some tables failed to load; the run loads them again with settings that fit their large values"
            }
            Self::Rebuild => "the load is complete; the run builds indexes and statistics on the copy",
            Self::CatchUp => "the copy receives every change, and the run compares it with the source",
            Self::MakeReady => {
                "the run lowers the record's TTL and checks the guardrails; applications are not affected yet"
            }
            Self::Cutover => {
                "applications will lose their connections for a short time and then reconnect to the target"
            }
            Self::Confirm => {
                "the target serves applications; the run finishes background work, such as validating constraints"
            }
            Self::Finish => "the run deletes everything that it created for itself; the target serves applications",
            Self::Rollback => "the source serves applications as before; the run deletes everything that it created",
        }
    }

    /// The phase of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|phase| phase.name() == name)
    }

    /// The phase that comes next on the way to an upgraded database, where nothing has to be repaired.
    pub fn next(self) -> Option<Self> {
        let place = Self::ALL.iter().position(|phase| *phase == self)?;
        let later = Self::ALL.iter().skip(place + 1).copied();
        later.into_iter().find(|phase| *phase != Self::LoadAgain).filter(|phase| *phase != Self::Rollback)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_has_one_name_wherever_it_is_written() {
        for phase in Phase::ALL {
            assert_eq!(serde_json::to_value(phase).expect("a text"), phase.name());
            assert_eq!(Phase::named(phase.name()), Some(*phase));
        }
    }

    #[test]
    fn phases_stand_on_the_dashboard_in_the_order_of_the_run() {
        assert!(Phase::ALL.is_sorted_by(|one, other| one.number() < other.number()));
        assert_eq!(Phase::Preflight.next(), Some(Phase::PrepareSource));
        assert_eq!(Phase::Load.next(), Some(Phase::Rebuild));
        assert_eq!((Phase::Finish.next(), Phase::Rollback.next()), (None, None));
    }
}
