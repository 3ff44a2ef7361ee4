//! Where in a run something happens: a step, or one state of one machine.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

use anyhow::{Result, bail, ensure};
use contract_tests::Machine;
use contract_tests::machine::{function_name, kebab, only_warms, step_of};
use local_aws_lambda::Place as Calls;
use serde_json::{Map, Value};

/// A step (`fence-source`: every state that calls it to work), or a state (`FenceSource`, `recover/StartRun`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The step's name.
    Step(String),
    /// One state.
    State {
        /// `upgrade` or `recover`.
        machine: String,
        /// Its name.
        state: String,
    },
}

/// The first state after the point of no return.
const AFTER_OPEN: &str = "ConfirmCutover";
/// The steps from the fence to the point of no return.
const CUTOVER: &[&str] = &["fence-source", "swap-record", "drain-source", "complete-target", "open-target"];

/// Both machines, read once.
pub fn machines() -> &'static [Machine] {
    static MACHINES: OnceLock<Vec<Machine>> = OnceLock::new();
    MACHINES.get_or_init(|| ["upgrade", "recover"].into_iter().filter_map(|name| Machine::read(name).ok()).collect())
}

impl Place {
    /// The invocations that happen there.
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
        let after = after_open();
        match self {
            Place::State { machine, state } if machine == "upgrade" => after.contains(state),
            Place::State { .. } => self.step().is_some_and(|step| Place::Step(step).is_after_open()),
            Place::Step(_) => {
                let mut states = self.states().into_iter().filter(|(machine, _)| machine == "upgrade").peekable();
                states.peek().is_some() && states.all(|(_, state)| after.contains(&state))
            }
        }
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

/// States of the upgrade from which the target is never left again.
fn after_open() -> BTreeSet<String> {
    reachable("upgrade", AFTER_OPEN)
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
        let expected = ["AwaitNameServers", "AwaitSync", "SwapRecord", "SwitchRecord"]
            .map(|state| format!("State(\"pgleap-upgrade/{state}\")"));
        assert_eq!(calls, expected);
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
