//! What functions were seen to call in all tests, against what their policies list.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::machine::repository;
use crate::template;

/// Actions by step.
pub type Actions = BTreeMap<String, BTreeSet<String>>;

/// The record that the stand-in kept.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Called and allowed.
    pub called: Actions,
    /// Called and refused.
    pub refused: Actions,
}

impl Record {
    /// All files of a folder: one a process, a line `function action allowed` or `.. refused` each.
    pub fn read(folder: &Path) -> Result<Self> {
        let mut record = Self::default();
        let files =
            std::fs::read_dir(folder).with_context(|| format!("read {}; `make test` writes it", folder.display()))?;
        for file in files {
            record.take(&std::fs::read_to_string(file?.path())?)?;
        }
        Ok(record)
    }

    fn take(&mut self, text: &str) -> Result<()> {
        for line in text.lines() {
            let [function, action, fate] = line.split(' ').collect::<Vec<_>>()[..] else { bail!("no record: {line}") };
            let step = function.trim_start_matches("pgleap-").to_owned();
            let kept = if fate == "allowed" { &mut self.called } else { &mut self.refused };
            kept.entry(step).or_default().insert(action.to_owned());
        }
        Ok(())
    }
}

/// What is wrong: an action that was refused, one that is listed and was never called, one that is called implied and
/// was seen after all.
pub fn judge(policies: &Actions, record: &Record, implied: &Actions) -> Vec<String> {
    let mut wrong = Vec::new();
    // The stand-in's own tests have functions of their own, one of which is refused on purpose.
    for (step, actions) in record.refused.iter().filter(|(step, _)| policies.contains_key(*step)) {
        wrong.extend(actions.iter().map(|action| format!("{step} called {action}, which its policy does not allow")));
    }
    let none = BTreeSet::new();
    let of = |actions: &Actions, step: &str| actions.get(step).unwrap_or(&none).clone();
    for (step, listed) in policies {
        let (called, implied) = (of(&record.called, step), of(implied, step));
        let unseen = listed.iter().filter(|action| !called.contains(*action) && !implied.contains(*action));
        wrong.extend(unseen.map(|action| format!("{step} may call {action}, and was never seen to")));
        let seen = implied.intersection(&called);
        wrong.extend(seen.map(|action| format!("{step} was seen to call {action}; it is not merely implied")));
        let stale = implied.difference(listed);
        wrong.extend(stale.map(|action| format!("{step} has no {action} that could be implied")));
    }
    wrong
}

/// What the template's functions may do.
pub fn policies() -> Result<Actions> {
    let functions = template::functions()?;
    Ok(functions.into_iter().map(|(step, function)| (step, function.allowed.into_iter().collect())).collect())
}

/// `implied-actions.yaml`: reasons by action by step.
pub fn implied() -> Result<Actions> {
    let path = repository().join("tests/contract/implied-actions.yaml");
    let text = std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    let reasons: Option<BTreeMap<String, BTreeMap<String, String>>> = serde_yaml_ng::from_str(&text)?;
    let reasons = reasons.unwrap_or_default().into_iter();
    Ok(reasons.map(|(step, actions)| (step, actions.into_keys().collect())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn actions(step: &str, actions: &[&str]) -> Actions {
        [(step.to_owned(), actions.iter().map(|action| (*action).to_owned()).collect())].into()
    }

    #[test]
    fn the_two_sets_are_the_same_but_for_what_is_implied() {
        let policies = actions("copy-data", &["dms:A", "dms:B", "iam:PassRole"]);
        let mut record = Record::default();
        record.take("pgleap-copy-data dms:A allowed\npgleap-copy-data dms:B allowed\n").unwrap();

        assert!(judge(&policies, &record, &actions("copy-data", &["iam:PassRole"])).is_empty());
        assert_eq!(judge(&policies, &record, &Actions::new()).len(), 1, "one is unseen");
        assert_eq!(
            judge(&policies, &record, &actions("copy-data", &["iam:PassRole", "dms:A"])).len(),
            1,
            "one is seen"
        );
        assert_eq!(
            judge(&policies, &record, &actions("copy-data", &["iam:PassRole", "dms:C"])).len(),
            1,
            "one is stale"
        );

        record.take("pgleap-toy rds:DeleteDBInstance refused").unwrap();
        assert!(judge(&policies, &record, &actions("copy-data", &["iam:PassRole"])).is_empty(), "no function of ours");
        record.take("pgleap-copy-data rds:DeleteDBInstance refused").unwrap();
        assert_eq!(judge(&policies, &record, &actions("copy-data", &["iam:PassRole"])).len(), 1, "one was refused");
    }
}
