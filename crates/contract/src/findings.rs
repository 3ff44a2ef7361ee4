//! What preflight finds.

use std::collections::{BTreeSet, HashMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::{CopyEngine, CopySettings};

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
    /// The copy engine that it concerns, while another one may still be chosen; absent: it holds whichever copies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<CopyEngine>,
}

impl Finding {
    /// A finding that stops the run.
    pub fn blocker(check: &str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new(check, Severity::Blocker, found.into(), remedy.into())
    }

    /// A finding that does not.
    pub fn warning(check: &str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new(check, Severity::Warning, found.into(), remedy.into())
    }

    fn new(check: &str, severity: Severity, found: String, remedy: String) -> Self {
        Self { check: check.to_owned(), severity, found, remedy, engine: None }
    }

    /// The same, of one engine, where another one may still be chosen.
    pub fn concerning(mut self, engine: CopyEngine, copy: &CopySettings) -> Self {
        self.engine = copy.undecided.then_some(engine);
        self
    }
}

/// How many findings of one copy engine there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EngineFindings {
    /// Which.
    pub engine: CopyEngine,
    /// Number of blockers found.
    pub blockers: usize,
    /// Number of warnings found.
    pub warnings: usize,
}

/// All findings of a preflight step, bounded for the state: counts are exact, the list may be cut.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Findings {
    /// Number of blockers found, without those of an engine that need not be chosen.
    pub blockers: usize,
    /// Number of warnings found, without those.
    pub warnings: usize,
    /// Those of the engines, while none is chosen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub of_engines: Vec<EngineFindings>,
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
        let count = |engine, severity| {
            all.iter().filter(|finding| finding.engine == engine && finding.severity == severity).count()
        };
        let (blockers, warnings) = (count(None, Severity::Blocker), count(None, Severity::Warning));
        let engines: BTreeSet<_> = all.iter().filter_map(|finding| finding.engine).collect();
        let of_engines = engines.into_iter().map(|engine| EngineFindings {
            engine,
            blockers: count(Some(engine), Severity::Blocker),
            warnings: count(Some(engine), Severity::Warning),
        });
        let of_engines = of_engines.collect();
        let mut all = fair_share(all, Self::LISTED);
        all.sort_by_key(|finding| finding.severity == Severity::Warning);
        for finding in &mut all {
            shorten(&mut finding.found, Self::LONGEST);
            shorten(&mut finding.remedy, Self::LONGEST);
        }
        Self { blockers, warnings, of_engines, text: text(&all), list: all }
    }

    /// With those of the engine that was chosen, and without those of the others.
    pub fn with_engine(mut self, engine: CopyEngine) -> Self {
        for counted in std::mem::take(&mut self.of_engines).iter().filter(|counted| counted.engine == engine) {
            self.blockers += counted.blockers;
            self.warnings += counted.warnings;
        }
        self.list.retain(|finding| finding.engine.is_none_or(|of| of == engine));
        self.list.iter_mut().for_each(|finding| finding.engine = None);
        Self { text: text(&self.list), ..self }
    }
}

/// The blockers that hold whichever engine copies, a line each.
fn text(list: &[Finding]) -> String {
    let blockers = list.iter().filter(|finding| finding.severity == Severity::Blocker && finding.engine.is_none());
    let lines = blockers.map(|finding| format!("[{}] {} ({})", finding.check, finding.found, finding.remedy));
    let mut text = lines.collect::<Vec<_>>().join("\n");
    shorten(&mut text, Findings::LONGEST_TEXT);
    text
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
    fn findings_of_an_engine_count_once_it_is_chosen() {
        let copy = CopySettings { undecided: true, ..CopySettings::default() };
        let all = vec![
            Finding::blocker("common", "c", "fix"),
            Finding::blocker("type", "t", "fix").concerning(CopyEngine::Dms, &copy),
            Finding::warning("slow", "s", "").concerning(CopyEngine::Dms, &copy),
            Finding::blocker("identity", "i", "fix").concerning(CopyEngine::Native, &copy),
        ];

        let found = Findings::collect(all);
        assert_eq!((found.blockers, found.warnings, found.text.as_str()), (1, 0, "[common] c (fix)"));
        let chosen = found.clone().with_engine(CopyEngine::Dms);
        assert_eq!((chosen.blockers, chosen.warnings, chosen.list.len()), (2, 1, 3));
        assert_eq!(chosen.text, "[common] c (fix)\n[type] t (fix)");
        assert_eq!(found.with_engine(CopyEngine::Native).text, "[common] c (fix)\n[identity] i (fix)");
        let decided = Finding::blocker("type", "t", "").concerning(CopyEngine::Dms, &CopySettings::default());
        assert_eq!(decided.engine, None, "nothing is left to choose");
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
