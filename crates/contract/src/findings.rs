//! What preflight finds.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

/// A blocker stops the run before anything is touched; a warning is something the operator should know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Severity {
    /// Stops the run.
    Blocker,
    /// Does not.
    Warning,
}

/// One finding of one check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Finding {
    /// The check's id, e.g. `table-without-key`; its anchor in the runbook.
    pub check: String,
    /// Blocker or warning.
    pub severity: Severity,
    /// What was found, naming the object.
    pub found: String,
    /// What the operator can do about it.
    pub remedy: String,
}

impl Finding {
    /// A finding that stops the run.
    pub fn blocker(check: &str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { check: check.to_owned(), severity: Severity::Blocker, found: found.into(), remedy: remedy.into() }
    }

    /// A finding that does not.
    pub fn warning(check: &str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { check: check.to_owned(), severity: Severity::Warning, found: found.into(), remedy: remedy.into() }
    }
}

/// All findings of a preflight step, bounded for the state: counts are exact, the list may be cut.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Findings {
    /// Number of blockers found.
    pub blockers: usize,
    /// Number of warnings found.
    pub warnings: usize,
    /// Blockers first; at most [`Findings::LISTED`], of every check as many as of any other that has so many.
    pub list: Vec<Finding>,
    /// The same as one text, for the Cause of a failed execution and for notifications.
    pub text: String,
}

impl Findings {
    /// How many findings travel; the rest are in the step's log.
    pub const LISTED: usize = 80;
    /// Longest [`Self::text`] in bytes: the Cause of a failed execution takes 32,768 characters, and preflight has two; the plan's own
    /// is one finding at most.
    const LONGEST_TEXT: usize = 15_000;
    /// Longest text of one finding in bytes.
    const LONGEST: usize = 500;

    /// Count all, keep a fair share of each check's, blockers first.
    pub fn collect(all: Vec<Finding>) -> Self {
        let blockers = all.iter().filter(|finding| finding.severity == Severity::Blocker).count();
        let warnings = all.len() - blockers;
        let mut all = fair_share(all, Self::LISTED);
        all.sort_by_key(|finding| finding.severity == Severity::Warning);
        for finding in &mut all {
            shorten(&mut finding.found, Self::LONGEST);
            shorten(&mut finding.remedy, Self::LONGEST);
        }
        let mut text = all
            .iter()
            .filter(|finding| finding.severity == Severity::Blocker)
            .map(|finding| format!("[{}] {} ({})", finding.check, finding.found, finding.remedy))
            .collect::<Vec<_>>()
            .join("\n");
        shorten(&mut text, Self::LONGEST_TEXT);
        Self { blockers, warnings, list: all, text }
    }
}

/// The first of every check, then the second of every check, .. until there is no room: a check with many offenders
/// crowds no other out. What is kept stays in its order; the last of a check that lost some says so.
fn fair_share(all: Vec<Finding>, room: usize) -> Vec<Finding> {
    if all.len() <= room {
        return all;
    }
    let mut seen: HashMap<&str, usize> = HashMap::new();
    let mut turns: Vec<_> = all
        .iter()
        .enumerate()
        .map(|(place, finding)| {
            let turn = seen.entry(&finding.check).or_default();
            *turn += 1;
            (*turn, finding.severity == Severity::Warning, place)
        })
        .collect();
    turns.sort_unstable();
    let kept: HashSet<usize> = turns.iter().take(room).map(|(_, _, place)| *place).collect();
    let cut: HashSet<String> = turns.iter().skip(room).map(|(_, _, place)| all[*place].check.clone()).collect();
    let mut listed: Vec<Finding> =
        all.into_iter().enumerate().filter_map(|(place, finding)| kept.contains(&place).then_some(finding)).collect();
    for check in cut {
        if let Some(last) = listed.iter_mut().rev().find(|finding| finding.check == check) {
            last.found.push_str(" (more of the same in the step's log)");
        }
    }
    listed
}

fn shorten(text: &mut String, longest: usize) {
    if text.len() > longest {
        let end = text.floor_char_boundary(longest);
        text.truncate(end);
        text.push('…');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blockers_come_first_and_counts_are_exact_when_the_list_is_cut() {
        let mut all: Vec<_> = (0..100).map(|n| Finding::warning("w", format!("{n}"), "")).collect();
        all.push(Finding::blocker("b", "x".repeat(5_000), "fix"));

        let findings = Findings::collect(all);

        assert_eq!((findings.blockers, findings.warnings, findings.list.len()), (1, 100, Findings::LISTED));
        assert_eq!(findings.list[0].check, "b");
        assert!(findings.list[0].found.len() < 700);
        assert!(findings.text.starts_with("[b] xxx"));
    }

    #[test]
    fn many_offenders_of_one_check_crowd_no_other_check_out() {
        let many = |check: &str, count: usize| -> Vec<_> {
            (0..count).map(|n| Finding::blocker(check, format!("{check} {n}"), "")).collect()
        };
        let mut all: Vec<_> = (0..5).flat_map(|check| many(&format!("greedy{check}"), 21)).collect();
        all.extend((0..30).map(|n| Finding::warning(&format!("modest{n}"), "once", "")));

        let listed = Findings::collect(all).list;

        let of = |check: &str| listed.iter().filter(|finding| finding.check == check).collect::<Vec<_>>();
        assert_eq!(listed.len(), Findings::LISTED);
        for n in 0..30 {
            assert_eq!(of(&format!("modest{n}"))[0].found, "once", "{n}");
        }
        for check in ["greedy0", "greedy4"] {
            let found: Vec<_> = of(check).iter().map(|finding| finding.found.as_str()).collect();
            assert_eq!((found.len(), found[0]), (10, format!("{check} 0").as_str()));
            assert!(found[9].ends_with("(more of the same in the step's log)"), "{found:?}");
        }
    }
}
