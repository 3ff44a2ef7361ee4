//! What a run mended by itself: carried by the machine from step to step, shown in its output.

use serde::{Deserialize, Serialize};

use crate::prices;

/// What was in the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RepairKind {
    /// No inbound rule let DMS in: the run added the one that was missing.
    SecurityGroup,
    /// DMS ran out of memory: the task takes less at once, or the replication instance is larger.
    OutOfMemory,
    /// The replication instance's disk was full: it has more storage.
    DiskFull,
    /// A load broke for a reason that passes: it was begun again.
    LoadBroken,
    /// The source lost the task's slot, and with it changes: the load was begun again.
    SlotLost,
    /// Somebody stopped the task during the load: it was begun again.
    TaskStopped,
    /// The task broke while it followed changes: it goes on from where it was.
    ChangesBroken,
    /// Tables were in error: they were loaded again.
    TablesInError,
}

impl RepairKind {
    /// Every kind.
    pub const ALL: &[RepairKind] = &[
        RepairKind::SecurityGroup,
        RepairKind::OutOfMemory,
        RepairKind::DiskFull,
        RepairKind::LoadBroken,
        RepairKind::SlotLost,
        RepairKind::TaskStopped,
        RepairKind::ChangesBroken,
        RepairKind::TablesInError,
    ];

    /// The word on the wire.
    pub fn word(self) -> &'static str {
        match self {
            RepairKind::SecurityGroup => "security-group",
            RepairKind::OutOfMemory => "out-of-memory",
            RepairKind::DiskFull => "disk-full",
            RepairKind::LoadBroken => "load-broken",
            RepairKind::SlotLost => "slot-lost",
            RepairKind::TaskStopped => "task-stopped",
            RepairKind::ChangesBroken => "changes-broken",
            RepairKind::TablesInError => "tables-in-error",
        }
    }

    /// The kind of this word.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.word() == word)
    }
}

/// What a class costs instead of another: an estimate, by the table that a plan goes by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EstimatedCost {
    /// US dollars an hour of the class before.
    pub usd_per_hour_before: f64,
    /// The same of the class since.
    pub usd_per_hour_after: f64,
    /// Of when and where the prices are.
    pub prices_of: String,
}

impl EstimatedCost {
    /// Of a larger instance; none where one of the two is no class, or has no price in the table.
    pub fn of_classes(before: &str, after: &str) -> Option<Self> {
        let (usd_per_hour_before, usd_per_hour_after) = (prices::hour(before)?, prices::hour(after)?);
        Some(Self { usd_per_hour_before, usd_per_hour_after, prices_of: prices::DATE.to_owned() })
    }
}

/// Something that was mended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Repair {
    /// What was in the way.
    pub kind: RepairKind,
    /// The tables that were mended, `schema.table`, at most [`Repair::MOST_TABLES`]; empty if it was the whole task.
    pub tables: Vec<String>,
    /// How it was.
    pub before: String,
    /// How it is.
    pub after: String,
    /// From the trouble to its end; 0 while it lasts.
    pub seconds: u64,
    /// What an instance costs since, if that changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimated_cost: Option<EstimatedCost>,
}

impl Repair {
    /// Most repairs that travel; later ones take the place of the last.
    pub const MOST: usize = 20;
    /// Most tables that a repair names.
    pub const MOST_TABLES: usize = 20;

    /// The same repair, perhaps seen at another moment.
    pub fn is_same(&self, other: &Repair) -> bool {
        (self.kind, &self.tables, &self.before, &self.after) == (other.kind, &other.tables, &other.before, &other.after)
    }

    /// Note a repair. One that is noted already is brought up to date, so that a repeated call notes nothing twice.
    pub fn note(repairs: &mut Vec<Repair>, repair: Repair) {
        if let Some(known) = repairs.iter_mut().find(|known| known.is_same(&repair)) {
            *known = repair;
            return;
        }
        repairs.truncate(Self::MOST - 1);
        repairs.push(repair);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repair(after: usize, seconds: u64) -> Repair {
        let (kind, before) = (RepairKind::OutOfMemory, "small".to_owned());
        Repair { kind, tables: Vec::new(), before, after: format!("larger {after}"), seconds, estimated_cost: None }
    }

    #[test]
    fn words_are_those_of_the_wire() {
        for kind in RepairKind::ALL {
            assert_eq!(serde_json::to_value(kind).expect("a word"), kind.word());
            assert_eq!(RepairKind::of(kind.word()), Some(*kind));
        }
        assert_eq!(RepairKind::of("nothing"), None);
    }

    #[test]
    fn a_larger_class_costs_more_and_only_a_class_has_a_price() {
        let cost = EstimatedCost::of_classes("dms.t3.medium", "dms.t3.large").expect("both have a price");
        assert_eq!((cost.usd_per_hour_before, cost.usd_per_hour_after), (0.072, 0.144));
        for (before, after) in [("8 tables at once", "2 tables at once"), ("dms.t3.large", "dms.z9.large")] {
            assert_eq!(EstimatedCost::of_classes(before, after), None, "{before}, {after}");
        }
    }

    #[test]
    fn a_repair_is_noted_once_and_their_number_is_bounded() {
        let mut repairs = Vec::new();

        Repair::note(&mut repairs, repair(1, 0));
        Repair::note(&mut repairs, repair(1, 7));
        assert_eq!(repairs, [repair(1, 7)]);

        for number in 0..100 {
            Repair::note(&mut repairs, repair(number, 1));
        }
        assert_eq!(repairs.len(), Repair::MOST);
        assert_eq!(repairs.last(), Some(&repair(99, 1)));
    }
}
