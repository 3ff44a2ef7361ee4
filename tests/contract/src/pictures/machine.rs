//! The machines: a picture for each phase of the upgrade, one for the recovery.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use pgleap_contract::Phase;
use serde_json::{Map, Value};

use super::{Graph, Kind, Picture};
use crate::machine::{Machine, only_warms};

type State = Map<String, Value>;

/// A picture for each phase, in the order of the run.
pub(super) fn phases() -> Result<Vec<Picture>> {
    let machine = Machine::read("upgrade")?;
    let pictures = Phase::ALL.iter().map(|phase| {
        let title = format!("The states of the phase \"{}\" and where each leads", phase.name());
        draw(&machine, Some(*phase)).finish(&file_name(*phase), &title)
    });
    Ok(pictures.collect())
}

/// The machine that recovers a run.
pub(super) fn recovery() -> Result<Picture> {
    let title = "The states of the state machine that recovers a run, and where each leads";
    Ok(draw(&Machine::read("recover")?, None).finish("machine-recover", title))
}

/// `machine-copy-the-instance`.
pub fn file_name(phase: Phase) -> String {
    format!("machine-{}", phase.name().replace(' ', "-"))
}

/// The states of a phase that no Parallel encloses, in the order of the file; of the whole machine without a phase.
pub fn states_of(machine: &Machine, phase: Option<Phase>) -> Vec<(String, State)> {
    let states = machine.definition["States"].as_object().into_iter().flatten();
    let of_phase = states.filter(|(name, _)| phase.is_none() || machine.phase_of(name) == phase);
    of_phase.filter_map(|(name, state)| Some((name.clone(), state.as_object()?.clone()))).collect()
}

/// Where a state goes on: the next state, and under which condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Exit {
    /// The state.
    pub to: String,
    /// A condition or an error code; empty for the only way.
    pub when: String,
}

/// The ways on that are no failure: `Next`, the choices, and a Catch of an error by which a branch of the state itself ends.
pub(super) fn exits(state: &State) -> Vec<Exit> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let exit = |to: Option<String>, when: String| to.map(|to| Exit { to, when });
    let mut all: Vec<Exit> =
        state.get("Next").and_then(text).map(|to| Exit { to, when: String::new() }).into_iter().collect();
    for choice in members(state, "Choices") {
        all.extend(exit(text(&choice["Next"]), condition(&choice["Condition"])));
    }
    all.extend(exit(state.get("Default").and_then(text), "otherwise".to_owned()));
    let own = own_errors(state);
    for catch in members(state, "Catch") {
        let named = members_of(&catch["ErrorEquals"]).filter_map(Value::as_str).find(|error| own.contains(*error));
        all.extend(named.and_then(|error| exit(text(&catch["Next"]), error.to_owned())));
    }
    // A branch that ends the others by an error says the same once more by `Next`, which is never taken.
    if all.iter().any(|exit| own.contains(&exit.when)) {
        all.retain(|exit| !exit.when.is_empty());
    }
    all
}

/// Errors with which a Fail state inside of its branches ends it.
fn own_errors(state: &State) -> BTreeSet<String> {
    let inner = members(state, "Branches").flat_map(|branch| branch["States"].as_object().into_iter().flatten());
    inner
        .filter(|(_, state)| state["Type"] == "Fail")
        .filter_map(|(_, state)| state["Error"].as_str().map(str::to_owned))
        .collect()
}

fn members<'a>(state: &'a State, name: &str) -> impl Iterator<Item = &'a Value> {
    state.get(name).into_iter().flat_map(members_of)
}

fn members_of(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// A condition without the marks of the expression language and without the variables' prefixes.
fn condition(value: &Value) -> String {
    let text = value.as_str().unwrap_or_default().trim_start_matches("{%").trim_end_matches("%}").trim();
    let text = text.replace("$states.input.", "").replace("$run.", "").replace('$', "");
    text.replace(" and ", "\\nand ").replace(" or ", "\\nor ")
}

fn draw(machine: &Machine, phase: Option<Phase>) -> Graph {
    let states = states_of(machine, phase);
    let names: BTreeSet<&str> = states.iter().map(|(name, _)| name.as_str()).collect();
    let mut graph = Graph::new("TB");
    let mut left = BTreeMap::new();
    for (name, state) in &states {
        node(&mut graph, machine, name, state);
        for exit in exits(state) {
            if !names.contains(exit.to.as_str()) {
                left.insert(exit.to.clone(), label_of_other(machine, &exit.to));
            }
        }
    }
    for (name, label) in &left {
        graph.node(name, label, Kind::Elsewhere, "");
    }
    for (name, state) in &states {
        for exit in exits(state) {
            let class = if exit.when == "otherwise" || exit.when.is_empty() { "" } else { "chosen" };
            for end in ends(name, state, &exit.when) {
                graph.edge(&end, &exit.to, &exit.when, class);
            }
        }
    }
    graph
}

/// A state, or the frame with a Parallel's branches.
fn node(graph: &mut Graph, machine: &Machine, name: &str, state: &State) {
    if members(state, "Branches").next().is_none() {
        let engine = machine.engine_of(name);
        let label = engine.map_or_else(|| name.to_owned(), |engine| format!("{name}\\n({engine} only)"));
        graph.node(name, &label, kind_of(state), engine.unwrap_or_default());
        return;
    }
    graph.node(name, name, Kind::Group, "");
    if members(state, "Branches").all(only_wakes) {
        return;
    }
    graph.cluster("side by side", |graph| {
        for branch in members(state, "Branches") {
            let inner = branch["States"].as_object().into_iter().flatten();
            for (inner_name, inner) in inner.filter_map(|(name, state)| Some((name, state.as_object()?))) {
                node(graph, machine, inner_name, inner);
                for exit in exits(inner) {
                    graph.edge(inner_name, &exit.to, &exit.when, "");
                }
            }
        }
    });
    for branch in members(state, "Branches") {
        graph.edge(name, branch["StartAt"].as_str().unwrap_or_default(), "", "");
    }
}

/// Whether a branch only starts a function's process: dozens of these say nothing.
fn only_wakes(branch: &Value) -> bool {
    let mut states = branch["States"].as_object().into_iter().flatten().filter_map(|(_, state)| state.as_object());
    states.all(only_warms)
}

/// The states from which a state is left in this way: itself, or the last ones of its branches.
fn ends(name: &str, state: &State, when: &str) -> Vec<String> {
    if members(state, "Branches").all(only_wakes) {
        return vec![name.to_owned()];
    }
    let inner = members(state, "Branches").flat_map(|branch| branch["States"].as_object().into_iter().flatten());
    let ends_well = |state: &Value| when.is_empty() && (state["End"] == true || state["Type"] == "Succeed");
    let is_last = |state: &Value| fails_with(state, when) || ends_well(state);
    inner.filter(|(_, state)| is_last(state)).map(|(name, _)| name.clone()).collect()
}

/// Whether it is a Fail state with this error.
fn fails_with(state: &Value, error: &str) -> bool {
    state["Type"] == "Fail" && state["Error"] == error
}

fn kind_of(state: &State) -> Kind {
    match state.get("Type").and_then(Value::as_str) {
        Some("Choice") => Kind::Choice,
        Some("Wait") => Kind::Wait,
        Some("Succeed" | "Fail") => Kind::End,
        _ => Kind::Task,
    }
}

fn label_of_other(machine: &Machine, name: &str) -> String {
    let phase = machine.phase_of(name).map(|phase| format!("\\n({})", phase.name())).unwrap_or_default();
    format!("{name}{phase}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn state(value: Value) -> State {
        value.as_object().expect("an object").clone()
    }

    #[test]
    fn a_choice_has_an_exit_for_each_rule_and_one_otherwise() {
        let choice = state(json!({
            "Type": "Choice",
            "Choices": [{ "Condition": "{% $run.mode = \"plan\" and $asked < 2 %}", "Next": "Planned" }],
            "Default": "Go"
        }));

        let exit = |to: &str, when: &str| Exit { to: to.to_owned(), when: when.to_owned() };
        assert_eq!(exits(&choice), [exit("Planned", "mode = \"plan\"\\nand asked < 2"), exit("Go", "otherwise")]);
    }

    #[test]
    fn an_error_by_which_a_branch_ends_the_others_is_a_way_on_and_others_are_failures() {
        let race = state(json!({
            "Type": "Parallel",
            "Branches": [{ "StartAt": "Done", "States": { "Done": { "Type": "Fail", "Error": "Released" } } }],
            "Catch": [
                { "ErrorEquals": ["Released"], "Next": "Go" },
                { "ErrorEquals": ["States.ALL"], "Next": "GiveUp" }
            ],
            "Next": "Go"
        }));

        assert_eq!(exits(&race), [Exit { to: "Go".to_owned(), when: "Released".to_owned() }]);
        assert_eq!(ends("Race", &race, "Released"), ["Done"]);
        assert_eq!(ends("Race", &race, "NotApproved"), Vec::<String>::new());
    }

    #[test]
    fn every_state_of_the_upgrade_is_drawn_in_one_phase() {
        let machine = Machine::read("upgrade").expect("the machine");
        let drawn: usize = Phase::ALL.iter().map(|phase| states_of(&machine, Some(*phase)).len()).sum();

        assert_eq!(drawn, states_of(&machine, None).len());
    }
}
