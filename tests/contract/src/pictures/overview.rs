//! A run in one picture: its phases, and how it comes back.

use std::collections::BTreeSet;

use anyhow::Result;
use pgleap_contract::Phase;

use super::machine::{exits, states_of};
use super::{Graph, Kind, Picture};
use crate::machine::Machine;

/// The phases with every way from one to another.
pub(super) fn phases() -> Result<Picture> {
    let machine = Machine::read("upgrade")?;
    let mut graph = Graph::new("LR");
    for phase in Phase::ALL {
        let class = match phase {
            Phase::Cutover => Kind::Users,
            Phase::Rollback => Kind::Safe,
            _ => Kind::Phase,
        };
        graph.node(phase.name(), &broken(phase.name()), class, "");
    }
    for (from, to) in ways(&machine) {
        if to != Phase::Rollback {
            graph.edge(from.name(), to.name(), "", "");
        }
    }
    for phase in fails_back(&machine) {
        graph.loose_edge(phase.name(), Phase::Rollback.name(), "failure");
    }
    Ok(graph.finish(
        "machine-overview",
        "The phases of a run in their order, and the phases from which a failure rolls back",
    ))
}

/// Ways between phases that are no failure, each once, in the order of the run.
fn ways(machine: &Machine) -> BTreeSet<(Phase, Phase)> {
    let mut ways = BTreeSet::new();
    for (name, state) in states_of(machine, None) {
        for exit in exits(&state) {
            if let (Some(from), Some(to)) = (machine.phase_of(&name), machine.phase_of(&exit.to))
                && from != to
            {
                ways.insert((from, to));
            }
        }
    }
    ways
}

/// The phases of which a state leads to the rollback when it fails.
fn fails_back(machine: &Machine) -> BTreeSet<Phase> {
    let states = states_of(machine, None).into_iter();
    let leads_back = |name: &str| machine.phase_of(name) == Some(Phase::Rollback);
    let fails = states.filter(|(name, state)| {
        let catches = state.get("Catch").and_then(|catches| catches.as_array()).into_iter().flatten();
        !leads_back(name) && catches.filter_map(|catch| catch["Next"].as_str()).any(leads_back)
    });
    fails.filter_map(|(name, _)| machine.phase_of(&name)).collect()
}

/// In two lines, so that many fit beside each other.
fn broken(name: &str) -> String {
    let middle = name.len() / 2;
    let space = name.match_indices(' ').map(|(at, _)| at).min_by_key(|at| at.abs_diff(middle));
    space.map_or_else(|| name.to_owned(), |at| format!("{}\\n{}", &name[..at], &name[at + 1..]))
}

/// What happens when something goes wrong before, under and after the fence. Which state begins each part is read from the
/// machine by the tests below.
pub(super) fn ways_back() -> Result<Picture> {
    let mut graph = Graph::new("TB");
    graph.node("before", "before the fence\\n(StartRun to ArmDeadline)", Kind::Phase, "");
    graph.node("fenced", "under the fence\\n(FenceSource to OpenTarget)", Kind::Users, "");
    graph.node("open", "after OPEN\\n(ConfirmCutover to ReportRun)", Kind::Phase, "");
    graph.line("{ rank=same; before; fenced; open }");
    graph.line("{ rank=same; catch; schedule; rule }");
    graph.node("catch", "a step fails:\\nthe Catch of its state", Kind::Task, "");
    graph.node("rule", "the execution is stopped, fails\\nor times out: EventBridge rule", Kind::Task, "");
    graph.node("schedule", "the deadline passes:\\nEventBridge schedule", Kind::Task, "");
    graph.node("recover", "the state machine \"recover\"\\nasks the mark and both databases", Kind::Task, "");
    graph.node("source", "the source serves as before;\\nthe run removes what it created", Kind::Safe, "");
    graph.node("target", "the target serves;\\nthe run is finished", Kind::Safe, "");
    graph.edge("before", "fenced", "", "");
    graph.edge("fenced", "open", "OPEN", "");
    for (part, notices) in
        [("before", &["catch", "rule"][..]), ("fenced", &["catch", "schedule", "rule"]), ("open", &["rule"])]
    {
        notices.iter().for_each(|notice| graph.edge(part, notice, "", "failure"));
    }
    graph.edge("catch", "source", "UnfenceSource claims the rollback", "");
    graph.edge("rule", "recover", "", "");
    graph.edge("schedule", "recover", "", "");
    graph.edge("recover", "source", "not open: claims the rollback", "");
    graph.edge("recover", "target", "open: only forward", "");
    graph.edge("open", "target", "", "");
    Ok(graph.finish("ways-back", "What notices a failure before, under and after the fence, and where each leads"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_lead_back_from_every_phase_up_to_the_cutover_and_from_none_after_it() {
        let machine = Machine::read("upgrade").expect("the machine");
        let back = fails_back(&machine);

        assert!(back.contains(&Phase::Cutover) && back.contains(&Phase::CopyInstance), "{back:?}");
        assert!(!back.contains(&Phase::Finish), "{back:?}");
    }

    /// The three parts of the picture of ways back.
    #[test]
    fn the_parts_of_the_run_begin_and_end_with_states_of_the_machine() {
        let machine = Machine::read("upgrade").expect("the machine");
        let dot = ways_back().expect("the picture").dot;
        let names: BTreeSet<String> = machine.states().into_iter().map(|(name, _)| name).collect();
        let mut seen = 0;
        for part in dot.split('(').skip(1).filter_map(|rest| rest.split(')').next()) {
            let ends: Vec<&str> = part.split(" to ").collect();
            assert!(ends.iter().all(|end| names.contains(*end)), "{part}");
            seen += 1;
        }
        assert_eq!(seen, 3);
    }

    #[test]
    fn a_long_name_is_broken_at_the_space_in_its_middle() {
        assert_eq!(broken("make ready for the cutover"), "make ready for\\nthe cutover");
        assert_eq!(broken("load"), "load");
    }
}
