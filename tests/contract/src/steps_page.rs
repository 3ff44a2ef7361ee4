//! `functions/README.md`: the steps in the order of the run, each with the first sentence of its own module.

use anyhow::{Context, Result};
use pgleap_contract::steps::{PAGES, STEPS};

use crate::machine::repository;

const HEAD: &str = "\
<!-- Generated from the steps' own words by `make docs`. -->
# The steps, in the order of the run

A folder is a step, a crate, a function, a state and a policy of one name.
`src/lib.rs` begins with what it changes, what makes it repeatable, what undoes it, what happens when it dies half-way, and how it fails; `decide` in it is the judgement, pure and with its cases.
[statemachine/upgrade.asl.yaml](../statemachine/upgrade.asl.yaml) wires them; `recover.asl.yaml` calls some of them again.
To add one: [docs/adding-a-step.md](../docs/adding-a-step.md).

| step | what it does |
|---|---|
";

const PAGES_HEAD: &str = "
Beside the run, called by browsers and by no machine:

| page | what it does |
|---|---|
";

/// The page as it should be.
pub fn render() -> Result<String> {
    let mut page = HEAD.to_owned();
    for step in STEPS {
        page.push_str(&row(step)?);
    }
    page.push_str(PAGES_HEAD);
    for name in PAGES {
        page.push_str(&row(name)?);
    }
    Ok(page)
}

fn row(function: &str) -> Result<String> {
    let path = repository().join(format!("functions/{function}/src/lib.rs"));
    let code = std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    Ok(format!("| [{function}]({function}/src/lib.rs) | {} |\n", first_sentence(&code)))
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
