//! The cells: every Task state of both machines, and every AWS operation that its function was seen to call, with every
//! disturbance; and the rules by which one cell stands for another.

use std::collections::{BTreeMap, BTreeSet};

use contract_tests::machine::{only_warms, step_of};
use serde_json::{Map, Value};

use super::entry::{Entry, WAY_BACK};
use crate::place::{Place, machines_of_upgrade, reachable};

/// Which part of a run a cell disturbs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Nothing can be fenced yet: several disturbances may share a run.
    BeforeArm,
    /// From `arm-deadline` to the end, and every way back: one disturbance a run.
    AfterArm,
}

/// One cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// The row: a state, or a state with an operation.
    pub row: String,
    /// The column.
    pub column: &'static str,
    /// Which part of a run.
    pub part: Part,
    /// What is to be done with it.
    pub fate: Fate,
}

/// What is to be done with a cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// Rehearsed.
    Run {
        /// How the state is entered.
        entry: Entry,
        /// The disturbance, for `--break`.
        disturbance: String,
        /// It may share a run.
        shares: bool,
    },
    /// Another cell stands for it.
    Equal {
        /// Its name.
        to: String,
        /// Why.
        rule: Rule,
    },
}

/// Why one cell stands for another. Each is a sentence of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// The process is gone either way, the work is done, and each Retry that names one of the two errors names the other.
    LostAndDead,
    /// A state that calls AWS itself has no process: its cells are those of its operation.
    NoProcess,
    /// Every Retry that waits for a throttled call waits for one that failed inside the service, and the SDK repeats both.
    Unavailable,
    /// Away from the fence no deadline runs: a call that hangs costs seconds and is repeated as a throttled one.
    HangsUnwatched,
    /// A call that only reads is not changed by having been carried out.
    OnlyReads,
    /// The same function calls the same operation, and nothing can be fenced yet.
    SameCall,
    /// It is the first call of the state's function, without which it logs in nowhere: nothing was done yet, as where the
    /// call of the function itself fails.
    FirstCall,
    /// What the recovery calls there does not say which way it goes, so the function does the same on both.
    BothWays,
    /// Functions are woken up side by side by equal calls, before anything was touched.
    Woken,
}

impl Rule {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Rule::LostAndDead => {
                "the work is done and the process is gone in both cell types; every Retry that names one of the two errors also names the other"
            }
            Rule::NoProcess => "the state calls AWS itself without a process, so the cell of the operation covers it",
            Rule::Unavailable => {
                "the SDK and the machine retry a call that fails inside the service exactly like a throttled one"
            }
            Rule::HangsUnwatched => {
                "no deadline is running there; a call that hangs costs seconds and is retried like a throttled one"
            }
            Rule::OnlyReads => "the call only reads, so it makes no difference whether it was carried out",
            Rule::FirstCall => {
                "it is the first call of the state's function, so nothing was done yet, as if the call of the function had failed"
            }
            Rule::Woken => "equal calls wake the functions in parallel, before anything is changed",
            Rule::BothWays => "the recovery calls this function with the same input after a rollback and after OPEN",
            Rule::SameCall => "the same function calls the same operation, and nothing can be fenced yet",
        }
    }
}

/// The columns of a state.
pub const OF_STATE: &[&str] =
    &["killed before", "killed after", "lost and dead", "zombie", "stopped", "stopped zombie", "fails permanently"];
/// The columns of an operation.
pub const OF_OPERATION: &[&str] = &["throttled", "5xx", "hangs", "lost", "denied permanently"];

/// From here on one run carries one disturbance.
const ARM: &str = "IsRecordSwitchedFirst";
/// Steps under the fence: a call that hangs there runs against the deadline.
const WATCHED: &[&str] =
    &["fence-source", "swap-record", "drain-source", "complete-target", "open-target", "unfence-source"];
/// A call of a stopped execution is frozen for less than the recovery waits for it, by the rehearsal's clock: 270 s are 2.7.
const STOPPED_SECONDS: u64 = 2;
const READS: &[&str] = &["Describe", "Get", "List", "Download"];

impl Cell {
    /// Its name, by which it is chosen and kept.
    pub fn name(&self) -> String {
        name(&self.row, self.column)
    }

    /// The cell of another row stands for this one.
    fn stand_aside(&mut self, own: &str, other: &str, rule: Rule) {
        self.fate = Fate::Equal { to: name(&self.row.replace(own, other), self.column), rule };
    }
}

fn name(row: &str, column: &str) -> String {
    format!("{row}: {column}")
}

/// Every cell, in the order of the machines. `calls` are the operations by `machine/state` of each entry.
pub fn cells(calls: &BTreeMap<(Entry, String), Vec<String>>) -> Vec<Cell> {
    let forward = reachable_without_fail_back();
    let after = reachable("upgrade", ARM);
    let (mut all, mut seen, mut woken) = (Vec::new(), BTreeMap::new(), None::<String>);
    for machine in machines_of_upgrade() {
        for (state, definition) in machine.states() {
            if definition.get("Type").is_none_or(|kind| kind != "Task") {
                continue;
            }
            let recovers = machine.name == "recover";
            let part = if recovers || after.contains(&state) { Part::AfterArm } else { Part::BeforeArm };
            let entries = Entry::of(&machine.name, &state, forward.contains(&state));
            for entry in entries {
                let place = Place::State { machine: machine.name.clone(), state: state.clone() };
                let suffix = if entries.len() > 1 { format!(" ({entry})") } else { String::new() };
                let row =
                    Row { place, name: format!("{}{suffix}", place_name(&machine.name, &state)), part, entry: *entry };
                let mut of_row = row.of_state();
                let key = (*entry, format!("{}/{state}", machine.name));
                let (step, calls) = (step_of(&definition), calls.get(&key).filter(|_| !only_warms(&definition)));
                for (nth, call) in calls.into_iter().flatten().enumerate() {
                    of_row.extend(row.of_operation(step.as_deref(), call, nth == 0, &mut seen));
                }
                if recovers && *entry != entries[0] && !knows_way(&definition) {
                    let (own, other) = (entry.to_string(), entries[0].to_string());
                    of_row.iter_mut().for_each(|cell| cell.stand_aside(&own, &other, Rule::BothWays));
                }
                if only_warms(&definition) && part == Part::BeforeArm {
                    match woken.clone() {
                        Some(first) => {
                            of_row.iter_mut().for_each(|cell| cell.stand_aside(&row.name, &first, Rule::Woken))
                        }
                        None => woken = Some(row.name.clone()),
                    }
                }
                all.extend(of_row);
            }
        }
    }
    all
}

/// Whether a state of the recovery tells its function which way it goes, or finds it out.
fn knows_way(state: &Map<String, Value>) -> bool {
    let payload = state.get("Arguments").map(|arguments| arguments["Payload"].to_string()).unwrap_or_default();
    payload.contains("outcome") || step_of(state).as_deref() == Some("unfence-source")
}

fn place_name(machine: &str, state: &str) -> String {
    Place::State { machine: machine.to_owned(), state: state.to_owned() }.to_string()
}

/// The states that a run enters without ever going back.
fn reachable_without_fail_back() -> BTreeSet<String> {
    let back = reachable("upgrade", WAY_BACK);
    let open = reachable("upgrade", "ConfirmCutover");
    let all = reachable("upgrade", "StartRun");
    all.into_iter().filter(|state| !back.contains(state) || open.contains(state)).collect()
}

/// The first row of each operation of each step before the fence.
type Seen = BTreeMap<(String, String), String>;

/// One state by one entry.
struct Row {
    place: Place,
    name: String,
    part: Part,
    entry: Entry,
}

impl Row {
    fn cell(&self, row: &str, column: &'static str, fate: Fate) -> Cell {
        Cell { row: row.to_owned(), column, part: self.part, fate }
    }

    fn run(&self, disturbance: String, ends_run: bool) -> Fate {
        Fate::Run { entry: self.entry, disturbance, shares: self.part == Part::BeforeArm && !ends_run }
    }

    fn of_state(&self) -> Vec<Cell> {
        let place = &self.place;
        let equal = |to: &str, rule| Fate::Equal { to: name(&self.name, to), rule };
        let cell = |column, fate| self.cell(&self.name, column, fate);
        if let Some((service, operation)) = place.operation() {
            let of = |column: &str| Fate::Equal {
                to: name(&format!("{} {service}:{operation}", self.name), column),
                rule: Rule::NoProcess,
            };
            let struck = |how: &str| self.run(format!("{how}:STATES:{service}:{operation}"), how == "denied");
            let row = format!("{} {service}:{operation}", self.name);
            let operation = OF_OPERATION.iter().zip(["throttle", "5xx", "hang", "lost", "denied"]);
            let mut all: Vec<Cell> = operation.map(|(column, how)| self.cell(&row, column, struck(how))).collect();
            all.extend([
                cell("killed before", of("hangs")),
                cell("killed after", of("lost")),
                cell("lost and dead", of("lost")),
                cell("zombie", of("lost")),
                cell("stopped", self.run(format!("stop-execution:{place}"), true)),
                cell("stopped zombie", of("lost")),
                cell("fails permanently", of("denied permanently")),
            ]);
            return all;
        }
        vec![
            cell("killed before", self.run(format!("kill:{place}:1:0"), false)),
            cell("killed after", self.run(format!("lose:{place}"), false)),
            cell("lost and dead", equal("killed after", Rule::LostAndDead)),
            cell("zombie", self.run(format!("zombie:{place}"), false)),
            cell("stopped", self.run(format!("stop-execution:{place}"), true)),
            cell(
                "stopped zombie",
                self.run(format!("zombie:{place}:1:{STOPPED_SECONDS} stop-execution:{place}"), true),
            ),
            cell("fails permanently", self.run(format!("fail:{place}"), true)),
        ]
    }

    fn of_operation(&self, step: Option<&str>, call: &str, is_first: bool, seen: &mut Seen) -> Vec<Cell> {
        let (Some(step), Some((service, operation))) = (step, call.split_once(':')) else { return Vec::new() };
        let row = format!("{} {call}", self.name);
        if self.part == Part::BeforeArm {
            let first = seen.entry((step.to_owned(), call.to_owned())).or_insert_with(|| row.clone());
            if *first != row {
                let same = |column| Fate::Equal { to: name(first, column), rule: Rule::SameCall };
                return OF_OPERATION.iter().map(|column| self.cell(&row, column, same(column))).collect();
            }
        }
        let from = if self.part == Part::AfterArm { format!("@{}", self.place) } else { String::new() };
        let struck = |how: &str| self.run(format!("{how}:{step}{from}:{service}:{operation}"), how == "denied");
        let equal = |rule| Fate::Equal { to: name(&row, "throttled"), rule };
        let or_first = |fate, column: &str| match is_first {
            true => Fate::Equal { to: name(&self.name, column), rule: Rule::FirstCall },
            false => fate,
        };
        let watched = self.part == Part::AfterArm && WATCHED.contains(&step);
        let reads = READS.iter().any(|verb| operation.starts_with(verb));
        vec![
            self.cell(&row, "throttled", or_first(struck("throttle"), "killed before")),
            self.cell(&row, "5xx", equal(Rule::Unavailable)),
            self.cell(&row, "hangs", if watched { struck("hang") } else { equal(Rule::HangsUnwatched) }),
            self.cell(&row, "lost", if reads { equal(Rule::OnlyReads) } else { struck("lost") }),
            self.cell(&row, "denied permanently", or_first(struck("denied"), "fails permanently")),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> Vec<Cell> {
        let mut calls = BTreeMap::new();
        let of = |calls: &[&str]| calls.iter().map(|call| (*call).to_owned()).collect::<Vec<_>>();
        calls.insert((Entry::Plain, "upgrade/SwapRecord".to_owned()), of(&["route53:GetChange"]));
        calls.insert((Entry::RecoverForward, "recover/StartRun".to_owned()), of(&["rds:X", "rds:Y"]));
        calls.insert((Entry::RecoverBack, "recover/StartRun".to_owned()), of(&["rds:X", "rds:Y"]));
        calls.insert(
            (Entry::Plain, "upgrade/FinishResources".to_owned()),
            of(&["rds:DescribeDBInstances", "rds:DeleteDBSnapshot"]),
        );
        calls.insert((Entry::Plain, "upgrade/TellPeople".to_owned()), of(&["sns:Publish"]));
        calls.insert((Entry::Plain, "upgrade/TellCopy".to_owned()), of(&["sns:Publish"]));
        cells(&calls)
    }

    fn fate(name: &str) -> (Part, Fate) {
        let cell = some().into_iter().find(|cell| cell.name() == name).unwrap_or_else(|| panic!("no {name}"));
        (cell.part, cell.fate)
    }

    fn disturbance(name: &str) -> (Part, String, bool) {
        match fate(name) {
            (part, Fate::Run { disturbance, shares, .. }) => (part, disturbance, shares),
            other => panic!("{name}: {other:?}"),
        }
    }

    #[test]
    fn every_task_has_every_column_once_and_every_name_is_its_own() {
        let all = some();
        let names: BTreeSet<_> = all.iter().map(Cell::name).collect();
        assert_eq!(names.len(), all.len());
        for machine in machines_of_upgrade() {
            for (state, definition) in machine.states().iter().filter(|(_, state)| state["Type"] == "Task") {
                let row = place_name(&machine.name, state);
                for column in OF_STATE {
                    let is_there =
                        all.iter().any(|cell| cell.row.split(" (").next() == Some(&row) && cell.column == *column);
                    assert!(is_there, "{row}: {column} of {definition:?}");
                }
            }
        }
    }

    #[test]
    fn every_disturbance_of_a_cell_can_be_planned() {
        for cell in some() {
            if let Fate::Run { disturbance, .. } = &cell.fate {
                for one in disturbance.split(' ') {
                    assert!(one.parse::<crate::disturbance::Disturbance>().is_ok(), "{one}");
                }
            }
        }
    }

    #[test]
    fn a_cell_that_another_stands_for_leads_to_one_that_is_run() {
        let all = some();
        let by_name: BTreeMap<_, _> = all.iter().map(|cell| (cell.name(), cell)).collect();
        for cell in &all {
            let mut at = cell;
            for _ in 0..4 {
                if let Fate::Equal { to, .. } = &at.fate {
                    at = by_name.get(to).unwrap_or_else(|| panic!("{to}"));
                }
            }
            assert!(matches!(at.fate, Fate::Run { .. }), "{}", cell.name());
        }
    }

    /// What two of the rules say of the machines.
    #[test]
    fn each_retry_that_names_one_of_two_equal_errors_names_the_other() {
        let pairs = [
            ("Runtime.ExitError", "Lambda.SdkClientException"),
            ("Throttled", "ServiceUnavailable"),
            ("Runtime.ExitError", "Throttled"),
        ];
        for (name, state) in machines_of_upgrade().flat_map(|machine| machine.states()) {
            for retry in state.get("Retry").and_then(|retry| retry.as_array()).into_iter().flatten() {
                let names =
                    |error: &str| retry["ErrorEquals"].as_array().is_some_and(|all| all.iter().any(|one| one == error));
                for (one, other) in pairs {
                    assert_eq!(names(one), names(other), "{name}: {one}, {other}");
                }
            }
        }
    }

    #[test]
    fn from_arm_deadline_on_a_run_carries_one_disturbance() {
        assert_eq!(disturbance("ArmDeadline: zombie"), (Part::AfterArm, "zombie:ArmDeadline".to_owned(), false));
        assert_eq!(disturbance("RestoreTarget: zombie"), (Part::BeforeArm, "zombie:RestoreTarget".to_owned(), true));
        assert!(!disturbance("RestoreTarget: stopped").2, "a run that is stopped carries nothing else");
        let denied = "denied:remove-resources@FinishResources:rds:DeleteDBSnapshot";
        assert_eq!(disturbance("FinishResources rds:DeleteDBSnapshot: denied permanently").1, denied);
        assert_eq!(
            disturbance("SwapRecord route53:GetChange: hangs").1,
            "hang:swap-record@SwapRecord:route53:GetChange"
        );
        assert_eq!(disturbance("recover/RestoreRecord (recover-forward): killed before").0, Part::AfterArm);
        assert!(matches!(fate("FinishResources rds:DeleteDBSnapshot: hangs").1, Fate::Equal { .. }));
    }

    #[test]
    fn what_stands_for_another_cell_follows_a_rule() {
        let cases = [
            ("SwapRecord route53:GetChange: throttled", "SwapRecord: killed before", Rule::FirstCall),
            ("SwapRecord route53:GetChange: denied permanently", "SwapRecord: fails permanently", Rule::FirstCall),
            ("SwapRecord: lost and dead", "SwapRecord: killed after", Rule::LostAndDead),
            ("TellCopy sns:Publish: lost", "TellPeople sns:Publish: lost", Rule::SameCall),
            ("FindRule: zombie", "FindRule ec2:DescribeSecurityGroupRules: lost", Rule::NoProcess),
            ("recover/StartRun (recover-forward): zombie", "recover/StartRun (recover-back): zombie", Rule::BothWays),
        ];
        for (cell, to, rule) in cases {
            assert_eq!(fate(cell).1, Fate::Equal { to: to.to_owned(), rule }, "{cell}");
        }
        let (_, forward) = fate("recover/UnfenceSource (recover-forward): zombie");
        assert!(matches!(forward, Fate::Run { .. }), "it finds out which way it goes");
    }

    #[test]
    fn states_of_the_fail_back_are_entered_by_a_failure() {
        for (row, entry) in
            [("UnfenceSource", Entry::Back), ("FinishResources", Entry::Plain), ("FindRule", Entry::RuleBack)]
        {
            let (_, fate) = fate(&format!("{row}: stopped"));
            assert!(matches!(fate, Fate::Run { entry: by, .. } if by == entry), "{row}: {fate:?}");
        }
    }
}
