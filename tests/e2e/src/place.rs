//! Where in a run something happens: a step, or one state of one machine.
//!
//! The host of the functions knows which state of which machine calls, so that `FenceSource` and `fail-back/FenceSource` are two
//! places although both call the same function.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

use anyhow::{Result, bail, ensure};
use contract_tests::Machine;
use contract_tests::machine::{function_name, kebab, only_warms, step_of};
use local_aws_lambda::Place as Calls;
use serde_json::{Map, Value};

/// A step (`fence-source`: every state that calls it to work), or a state (`FenceSource`, `recover/StartRun`,
/// `fail-back/FenceSource`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The step's name.
    Step(String),
    /// One state.
    State {
        /// `upgrade`, `recover` or `fail-back`.
        machine: String,
        /// Its name.
        state: String,
    },
}

/// The first state after the point of no return.
const AFTER_OPEN: &str = "ConfirmCutover";
/// The steps from the fence to the point of no return.
const CUTOVER: &[&str] = &["fence-source", "swap-record", "drain-source", "complete-target", "open-target"];

/// The machine that fails back.
pub const FAIL_BACK: &str = "fail-back";

/// The machines whose states are places, read once.
pub fn machines() -> &'static [Machine] {
    static MACHINES: OnceLock<Vec<Machine>> = OnceLock::new();
    let read = || ["upgrade", "recover", FAIL_BACK].into_iter().filter_map(|name| Machine::read(name).ok()).collect();
    MACHINES.get_or_init(read)
}

/// Those of a run that nobody fails back.
pub fn machines_of_upgrade() -> impl Iterator<Item = &'static Machine> {
    machines().iter().filter(|machine| machine.name != FAIL_BACK)
}

impl Place {
    /// The invocations that happen there. A step is every state that calls it, of whatever machine.
    pub fn calls(&self) -> Vec<Calls> {
        let call = |machine: &str, state: &str| Calls::State(format!("{}/{state}", function_name(machine)));
        let states = self.states();
        match self {
            Place::Step(step) if states.is_empty() => vec![Calls::Function(function_name(step))],
            _ => states.iter().map(|(machine, state)| call(machine, state)).collect(),
        }
    }

    /// The step that is called there; none where a state calls AWS itself.
    pub fn step(&self) -> Option<String> {
        match self {
            Place::Step(step) => Some(step.clone()),
            Place::State { machine, state } => step_of(&definition(machine, state)?),
        }
    }

    /// The state's operation where it calls AWS itself: service and operation.
    pub fn operation(&self) -> Option<(String, String)> {
        let Place::State { machine, state } = self else { return None };
        let state = definition(machine, state)?;
        let resource = state.get("Resource")?.as_str()?.split_once(":aws-sdk:")?.1;
        let (service, operation) = resource.split_once(':')?;
        let (first, rest) = operation.split_at_checked(1)?;
        Some((service.to_owned(), first.to_ascii_uppercase() + rest))
    }

    /// Whether the target is open whenever it is reached. A state of the recovery is judged by its step.
    pub fn is_after_open(&self) -> bool {
        let after = reachable("upgrade", AFTER_OPEN);
        match self {
            Place::State { machine, state } if machine == "upgrade" => after.contains(state),
            Place::State { machine, state } if machine == FAIL_BACK => reachable(FAIL_BACK, AFTER_OPEN).contains(state),
            Place::State { .. } => self.step().is_some_and(|step| Place::Step(step).is_after_open()),
            Place::Step(_) => {
                let mut states = self.states().into_iter().filter(|(machine, _)| machine == "upgrade").peekable();
                states.peek().is_some() && states.all(|(_, state)| after.contains(&state))
            }
        }
    }

    /// Whether only a run that fails back comes there.
    pub fn is_of_fail_back(&self) -> bool {
        let states = self.states();
        !states.is_empty() && states.iter().all(|(machine, _)| machine == FAIL_BACK)
    }

    /// Whether it is a state of the machine that recovers.
    pub fn is_of_recovery(&self) -> bool {
        matches!(self, Place::State { machine, .. } if machine == "recover")
    }

    /// Whether clients may be waiting there.
    pub fn is_in_cutover(&self) -> bool {
        self.step().is_some_and(|step| CUTOVER.contains(&step.as_str())) && !self.is_after_open()
    }

    /// Machine and name of every state that it stands for.
    fn states(&self) -> Vec<(String, String)> {
        match self {
            Place::State { machine, state } => vec![(machine.clone(), state.clone())],
            Place::Step(step) => {
                let of = |machine: &Machine| -> Vec<(String, String)> {
                    let all = machine.states().into_iter();
                    let own = all.filter(|(_, state)| step_of(state).as_ref() == Some(step) && !only_warms(state));
                    own.map(|(name, _)| (machine.name.clone(), name)).collect()
                };
                machines().iter().flat_map(of).collect()
            }
        }
    }
}

/// The states of a machine that may follow one, with it and with those of its branches.
pub fn reachable(machine: &str, from: &str) -> BTreeSet<String> {
    let Some(machine) = machines().iter().find(|known| known.name == machine) else { return BTreeSet::new() };
    let states = machine.states();
    let (mut found, mut open) = (BTreeSet::new(), vec![from.to_owned()]);
    while let Some(name) = open.pop() {
        if let Some((_, state)) = states.iter().find(|(known, _)| *known == name)
            && found.insert(name)
        {
            open.extend(leads_to(state));
            let branches = state.get("Branches").and_then(Value::as_array).into_iter().flatten();
            open.extend(branches.filter_map(|branch| branch["StartAt"].as_str().map(str::to_owned)));
        }
    }
    found
}

/// Where a state may lead.
pub fn leads_to(state: &Map<String, Value>) -> Vec<String> {
    let listed = |key: &str| state.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    let edges = listed("Catch").into_iter().chain(listed("Choices")).chain([Value::Object(state.clone())]);
    edges.flat_map(|edge| ["Next", "Default"].map(|key| edge[key].as_str().map(str::to_owned))).flatten().collect()
}

fn definition(machine: &str, state: &str) -> Option<Map<String, Value>> {
    let machine = machines().iter().find(|known| known.name == machine)?;
    machine.states().into_iter().find(|(name, _)| name == state).map(|(_, definition)| definition)
}

impl FromStr for Place {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let (machine, name) = text.split_once('/').unwrap_or(("upgrade", text));
        if let Some(state) = definition(machine, name) {
            ensure!(state["Type"] == "Task", "the state {text} calls no function and no AWS operation");
            return Ok(Self::State { machine: machine.to_owned(), state: name.to_owned() });
        }
        let step = kebab(text);
        if !machines().iter().any(|machine| machine.steps().contains(&step)) {
            bail!("there is no step or state {text}");
        }
        Ok(Self::Step(step))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Step(step) => f.write_str(step),
            Place::State { machine, state } if machine == "upgrade" => f.write_str(state),
            Place::State { machine, state } => write!(f, "{machine}/{state}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str) -> Place {
        text.parse().unwrap()
    }

    #[test]
    fn a_place_is_a_step_or_a_state() {
        for text in ["fence-source", "AwaitSync", "recover/StartRun", "FindRule"] {
            assert_eq!(place(text).to_string(), text);
        }
        for text in ["", "nothing-known", "recover/FenceSource", "IsDataCopied"] {
            assert!(text.parse::<Place>().is_err(), "{text}");
        }
        assert_eq!(place("AwaitSync").step().as_deref(), Some("swap-record"));
        let (service, operation) = place("FindRule").operation().unwrap();
        assert_eq!((service.as_str(), operation.as_str()), ("ec2", "DescribeSecurityGroupRules"));
    }

    #[test]
    fn a_step_stands_for_the_states_that_let_it_work() {
        let calls = place("swap-record").calls();
        let mut calls: Vec<_> = calls.iter().map(|call| format!("{call:?}")).collect();
        calls.sort();
        let states = ["AwaitNameServers", "AwaitSync", "SwapRecord", "SwitchRecord"];
        let of = |machine: &'static str| states.map(|state| format!("State(\"pgleap-{machine}/{state}\")"));
        assert_eq!(calls, [of("fail-back"), of("upgrade")].concat());
    }

    #[test]
    fn a_state_of_two_machines_is_two_places() {
        let (forward, back) = (place("DrainSource"), place("fail-back/DrainSource"));
        assert_eq!(format!("{:?}", forward.calls()), "[State(\"pgleap-upgrade/DrainSource\")]");
        assert_eq!(format!("{:?}", back.calls()), "[State(\"pgleap-fail-back/DrainSource\")]");
        assert_eq!(back.to_string(), "fail-back/DrainSource");
        assert!(back.is_of_fail_back() && !forward.is_of_fail_back() && back.is_in_cutover());
        assert!(place("begin-fail-back").step().is_some() && !place("recover/FindFailBack").is_of_fail_back());
        assert!(place("fail-back/ConfirmCutover").is_after_open() && !place("fail-back/OpenTarget").is_after_open());
        assert!(!place("fail-back/RestoreRecord").is_after_open() && place("recover/FindFailBack").is_of_recovery());
    }

    #[test]
    fn the_side_of_open_is_read_from_the_machine() {
        for text in [
            "ConfirmCutover",
            "confirm-cutover",
            "settle-target",
            "recover/SettleTarget",
            "FinishResources",
            "ReportRun",
            "AwaitSync",
        ] {
            assert!(place(text).is_after_open(), "{text}");
        }
        for text in ["OpenTarget", "SwapRecord", "swap-record", "RestoreRecord", "UnfenceSource", "clean-databases"] {
            assert!(!place(text).is_after_open(), "{text}");
        }
        assert!(place("SwapRecord").is_in_cutover() && !place("AwaitSync").is_in_cutover());
    }
}
