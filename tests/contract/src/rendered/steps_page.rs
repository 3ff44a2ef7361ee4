//! `functions/README.md`: the steps in the order of the run, each with the first sentence of its own module.

use anyhow::{Context, Result};
use pgleap_contract::Phase;
use pgleap_contract::steps::PAGES;

use crate::declared::Step;
use crate::machine::repository;

const HEAD: &str = "\
<!-- Rendered by `make render` from the steps' step.yaml and lib.rs; edit those files instead. -->
# The steps, in the order of the run

Each step is a folder, a crate, a function, a state and a policy, all with the same name. The steps of a copy engine are in `engines/<engine>`.
`step.yaml` declares what other parts must know about the step: its phase, its function, its policy, what undoes it, and how it fails.
`src/lib.rs` begins with what the step changes, what makes it repeatable, and what happens if it dies midway. If the step makes a decision, this is a pure function, `decide`, with a table of cases as its test.
[statemachine/upgrade.asl.yaml](../statemachine/upgrade.asl.yaml) connects the steps. `recover.asl.yaml` calls some of them again.
To add a step, see [docs/adding-a-step.md](../docs/adding-a-step.md).
";

const TABLE: &str = "
| step | what it does | undone by |
|---|---|---|
";

const PAGES_HEAD: &str = "
The following pages are called by browsers and not by a state machine:

| page | what it does |
|---|---|
";

/// The page as it should be: phase by phase.
pub(super) fn render(steps: &[Step]) -> Result<String> {
    let mut page = HEAD.to_owned();
    for phase in Phase::ALL {
        page.push_str(&format!("\n## {}\n\n{}.\n{TABLE}", capital(phase.name()), capital(phase.begins())));
        page.push_str(&rows(steps, Some(*phase))?);
    }
    page.push_str(&format!("\n## In several phases\n{TABLE}"));
    page.push_str(&rows(steps, None)?);
    page.push_str(PAGES_HEAD);
    for name in PAGES {
        let code = format!("functions/{name}/src/lib.rs");
        page.push_str(&format!("| [{name}]({}) | {} |\n", from_here(&code), first_sentence(&code_of(&code)?)));
    }
    Ok(page)
}

fn rows(steps: &[Step], phase: Option<Phase>) -> Result<String> {
    let of_phase = steps.iter().filter(|(_, declared)| declared.phase == phase);
    let row = |(name, declared): &Step| {
        let code = format!("{}/src/lib.rs", declared.folder);
        let does = first_sentence(&code_of(&code)?);
        Ok(format!("| [{name}]({}) | {does} | {} |\n", from_here(&code), declared.undo))
    };
    of_phase.map(row).collect()
}

fn code_of(path: &str) -> Result<String> {
    std::fs::read_to_string(repository().join(path)).with_context(|| format!("read {path}"))
}

/// A path from the repository's root, as a link of this page.
fn from_here(path: &str) -> String {
    path.strip_prefix("functions/").map_or_else(|| format!("../{path}"), str::to_owned)
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// Of the module's documentation, on one line.
fn first_sentence(code: &str) -> String {
    let lines = code.lines().map_while(|line| line.strip_prefix("//!")).map(str::trim);
    let text = lines.take_while(|line| !line.is_empty()).collect::<Vec<_>>().join(" ");
    let end = text.find(". ").map_or(text.len(), |end| end + 1);
    text[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_may_take_several_lines_and_ends_with_its_full_stop() {
        let code = "//! Do one thing: and\n//! say why. More.\n//!\n//! Changes: nothing\nuse x;";

        assert_eq!(first_sentence(code), "Do one thing: and say why.");
    }
}
