//! `crates/contract/src/steps/list.rs`: the steps as the product knows them.

use anyhow::Result;

use crate::declared::{Runs, Step};

const HEAD: &str = "\
//! By `make render`, from each step's `step.yaml`.

use super::StepInfo;
use crate::Phase;

#[rustfmt::skip] // a line each
/// Every step in the order of the run: folder, crate, function and state have this name.
pub const STEPS: &[StepInfo] = &[
";

pub(super) fn render(steps: &[Step]) -> Result<String> {
    let mut text = HEAD.to_owned();
    for (name, declared) in steps {
        let phase = declared.phase.map_or_else(|| "None".to_owned(), |phase| format!("Some(Phase::{phase:?})"));
        let engine = declared.engine().map_or_else(|| "None".to_owned(), |engine| format!("Some(\"{engine}\")"));
        text.push_str(&format!(
            "    StepInfo {{ name: \"{name}\", phase: {phase}, engine: {engine}, runs_always: {}, memory_megabytes: {} }},\n",
            declared.runs == Runs::Always,
            declared.memory
        ));
    }
    text.push_str("];\n");
    Ok(text)
}
