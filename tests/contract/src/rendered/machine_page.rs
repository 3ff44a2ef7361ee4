//! `docs/machine.md`: the state machines in pictures, with what a failure of each state leads to.

use std::collections::BTreeMap;

use anyhow::Result;
use pgleap_contract::Phase;
use serde_json::Value;

use crate::machine::Machine;
use crate::pictures::{file_name, states_of};

const HEAD: &str = "\
<!-- Written by `make render`; the pictures are drawn by `make pictures`. -->
# The state machines in pictures

The definitions are [upgrade.asl.yaml](../statemachine/upgrade.asl.yaml) and [recover.asl.yaml](../statemachine/recover.asl.yaml).
Rectangles are tasks, hexagons are choices, ellipses are waits, and octagons end an execution. Arrow-shaped boxes are states of another phase.
States in blue belong to the copy engine DMS, states in green to the native engine.
The pictures show how a run continues. Below each picture, a table shows which state follows when a state fails permanently, which means after its retries.

## The phases

![The phases of a run in their order, and the phases from which a failure rolls back](pictures/machine-overview.svg)

Dashed arrows are failures. Users notice only the phase *cutover*.

![What notices a failure before, under and after the fence, and where each leads](pictures/ways-back.svg)
";

/// The page as it should be.
pub(super) fn render() -> Result<String> {
    let (upgrade, recover) = (Machine::read("upgrade")?, Machine::read("recover")?);
    let mut page = HEAD.to_owned();
    for phase in Phase::ALL {
        let name = phase.name();
        page.push_str(&format!(
            "\n## Phase: {name}\n\n![The states of the phase {name}](pictures/{}.svg)\n",
            file_name(*phase)
        ));
        page.push_str(&failures(&upgrade, Some(*phase)));
    }
    page.push_str(
        "\n## The recovery\n\n![The states of the state machine that recovers a run](pictures/machine-recover.svg)\n",
    );
    page.push_str(&failures(&recover, None));
    Ok(page)
}

/// A table: which errors lead where, and from which states. Empty without a Catch.
fn failures(machine: &Machine, phase: Option<Phase>) -> String {
    let mut rows = BTreeMap::<(String, String), Vec<String>>::new();
    for (name, state) in states_of(machine, phase) {
        for catch in state.get("Catch").and_then(Value::as_array).into_iter().flatten() {
            let errors = catch["ErrorEquals"].as_array().into_iter().flatten().filter_map(Value::as_str);
            let errors = errors.map(|error| match error {
                "States.ALL" => "any other error".to_owned(),
                error => format!("`{error}`"),
            });
            let to = catch["Next"].as_str().unwrap_or_default().to_owned();
            rows.entry((to, errors.collect::<Vec<_>>().join(", "))).or_default().push(format!("`{name}`"));
        }
    }
    if rows.is_empty() {
        return String::new();
    }
    let mut table = "\n| after a permanent failure of | with | the run continues with |\n|---|---|---|\n".to_owned();
    for ((to, errors), states) in rows {
        table.push_str(&format!("| {} | {errors} | `{to}` |\n", states.join(", ")));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_under_the_fence_leads_to_the_unfence() {
        let machine = Machine::read("upgrade").expect("the machine");
        let table = failures(&machine, Some(Phase::Cutover));

        assert!(table.contains("| any other error | `UnfenceSource` |"), "{table}");
    }
}
