//! What `make render` writes is what stands in the repository, and what steps declare agrees with their code.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Result;
use contract_tests::declared::{Runs, steps};
use contract_tests::machine::{Machine, only_warms, repository, step_of};
use contract_tests::rendered;
use pgleap_contract::{ErrorCode, Phase};

#[test]
fn rendering_again_changes_nothing() -> Result<()> {
    for file in rendered::files()? {
        assert!(file.is_current(), "{}: run `make render`", file.path);
    }
    Ok(())
}

/// An error that a step makes itself. What its libraries find out of AWS and databases is not seen here.
#[test]
fn a_step_declares_every_error_that_its_code_names() -> Result<()> {
    let mut missing = Vec::new();
    for (name, declared) in steps()? {
        let named = named_in(&repository().join(&declared.folder).join("src"))?;
        let declared = declared.error_codes();
        missing.extend(
            named.into_iter().filter(|code| !declared.contains(code.as_str())).map(|code| (name.clone(), code)),
        );
    }
    assert!(missing.is_empty(), "fails-with in step.yaml lacks {missing:?}");
    Ok(())
}

/// `ErrorCode::X` given to a new error; what is only compared, or stands in tests, is not made there.
fn named_in(folder: &Path) -> Result<BTreeSet<String>> {
    let mut named = BTreeSet::new();
    for entry in std::fs::read_dir(folder)?.flatten() {
        if entry.path().is_dir() {
            named.extend(named_in(&entry.path())?);
            continue;
        }
        let text = std::fs::read_to_string(entry.path())?;
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for after in code.split("StepError::new(").skip(1) {
            let first = after.trim_start().strip_prefix("ErrorCode::").unwrap_or_default();
            let word: String = first.chars().take_while(char::is_ascii_alphanumeric).collect();
            if ErrorCode::ALL.iter().any(|code| code.word() == word) {
                named.insert(word);
            }
        }
    }
    Ok(named)
}

#[test]
fn a_step_belongs_to_the_phase_in_which_the_machine_calls_it_first() -> Result<()> {
    let upgrade = Machine::read("upgrade")?;
    for (name, declared) in steps()? {
        let calls = |state: &_| step_of(state).as_deref() == Some(name.as_str()) && !only_warms(state);
        let first = upgrade.states().into_iter().find(|(_, state)| calls(state));
        let Some(((state, _), phase)) = first.zip(declared.phase) else { continue };
        assert_eq!(upgrade.phase_of(&state), Some(phase), "{name}, by state {state}");
    }
    Ok(())
}

#[test]
fn every_phase_but_those_of_trouble_has_a_step_that_always_runs() -> Result<()> {
    let steps = steps()?;
    for phase in Phase::ALL {
        let runs = steps.iter().any(|(_, step)| step.phase == Some(*phase) && step.runs == Runs::Always);
        assert_eq!(runs, ![Phase::LoadAgain, Phase::Rollback].contains(phase), "{}", phase.name());
    }
    Ok(())
}
