//! Which operations each state's function calls: kept in a file, read from runs that nothing else disturbs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use contract_tests::machine::{repository, step_of};
use contract_tests::record::{implied, policies};
use serde_json::Value;

use super::LONGEST;
use super::entry::Entry;
use crate::place::machines_of_upgrade;
use crate::process::rehearse;

/// Operations by entry and `machine/state`.
pub(super) type Calls = BTreeMap<(Entry, String), Vec<String>>;

fn path() -> PathBuf {
    repository().join("tests/e2e/matrix/calls.txt")
}

/// What is kept: a line `entry machine/state service:Operation` each.
pub(super) fn read() -> Result<Calls> {
    let text = std::fs::read_to_string(path()).with_context(|| format!("read {}", path().display()))?;
    Ok(parse(&text))
}

fn parse(text: &str) -> Calls {
    let mut calls = Calls::new();
    for line in text.lines() {
        if let [entry, state, call] = line.split(' ').collect::<Vec<_>>()[..]
            && let Some(entry) = Entry::named(entry)
        {
            calls.entry((entry, state.to_owned())).or_default().push(call.to_owned());
        }
    }
    calls
}

/// Rehearse each entry, or one, and write its lines anew; true if all ended as promised.
pub(super) async fn write(folder: &Path, only: Option<&str>) -> Result<bool> {
    let mut kept = true;
    for entry in Entry::all().filter(|entry| only.is_none_or(|only| entry.to_string() == only)) {
        let of_entry = folder.join("survey").join(entry.to_string());
        let ended = rehearse(&entry.options(), &of_entry, LONGEST).await?;
        kept &= ended.broken.is_empty();
        super::say(&format!("{:<24} {:>4} s  {}", entry.to_string(), ended.seconds, ended.broken.join("; ")));
        let report = of_entry.join("latest/report.json");
        let report = std::fs::read_to_string(&report).with_context(|| format!("read {}", report.display()))?;
        let report: Value = serde_json::from_str(&report).context("parse the report")?;
        let calls: Vec<&str> = report["calls"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let text = std::fs::read_to_string(path()).unwrap_or_default();
        std::fs::write(path(), with(&text, entry, &calls)).with_context(|| format!("write {}", path().display()))?;
    }
    Ok(kept)
}

/// The file with one entry's lines replaced, by entry, and in each in the order of the calls.
fn with(text: &str, entry: Entry, calls: &[&str]) -> String {
    let others = text.lines().filter(|line| line.split(' ').next() != Some(&entry.to_string())).map(str::to_owned);
    let mut lines: Vec<String> = others.chain(calls.iter().map(|call| format!("{entry} {call}"))).collect();
    let order = |line: &String| Entry::all().position(|entry| line.starts_with(&format!("{entry} ")));
    lines.sort_by_key(order);
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// Actions of policies that no run of the survey calls. Such a cell is not run.
pub(super) fn unseen(calls: &Calls) -> Result<Vec<String>> {
    let mut seen: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for machine in machines_of_upgrade() {
        for (name, state) in machine.states() {
            let Some(step) = step_of(&state) else { continue };
            let place = format!("{}/{name}", machine.name);
            let of_state = calls.iter().filter(|((_, state), _)| *state == place);
            seen.entry(step).or_default().extend(of_state.flat_map(|(_, calls)| calls.iter().map(String::as_str)));
        }
    }
    let implied = implied()?;
    let mut unseen = Vec::new();
    for (step, actions) in policies()? {
        let is_known = |action: &String| {
            seen.get(&step).is_some_and(|seen| seen.contains(action.as_str()))
                || implied.get(&step).is_some_and(|implied| implied.contains(action))
        };
        unseen.extend(actions.iter().filter(|action| !is_known(action)).map(|action| format!("{step} {action}")));
    }
    Ok(unseen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_by_entry_and_state() {
        let calls = parse("plain upgrade/A rds:X\nplain upgrade/A rds:Y\nback upgrade/A rds:Z\nnothing at all\n");

        let anew = with("plain upgrade/A rds:X\nback upgrade/A rds:Z\n", Entry::Plain, &["upgrade/B rds:Y"]);
        assert_eq!(anew, "plain upgrade/B rds:Y\nback upgrade/A rds:Z\n");
        assert_eq!(calls.len(), 2);
        assert_eq!(calls[&(Entry::Plain, "upgrade/A".to_owned())], ["rds:X", "rds:Y"]);
    }
}
