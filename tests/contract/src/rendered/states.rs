//! `cli/src/states.rs`: the phase of each state, for who follows an execution.

use anyhow::{Context, Result};

use crate::machine::Machine;

const HEAD: &str = "\
//! Written by `make render`, from the state machine.

use pgleap_contract::Phase;

#[rustfmt::skip] // a line each
/// Each state of the upgrade with its phase.
pub(crate) const STATES: &[(&str, Phase)] = &[
";

pub(super) fn render() -> Result<String> {
    let machine = Machine::read("upgrade")?;
    let mut text = HEAD.to_owned();
    for (state, _) in machine.states() {
        let phase = machine.phase_of(&state).with_context(|| format!("state {state} has no phase"))?;
        text.push_str(&format!("    (\"{state}\", Phase::{phase:?}),\n"));
    }
    text.push_str("];\n");
    Ok(text)
}
