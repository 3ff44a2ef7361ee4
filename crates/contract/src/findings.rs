//! What preflight finds.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

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
    /// Everything that it is about, where that is more than [`Self::found`] names; as much as there is room for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub objects: Vec<String>,
    /// How many more there are, for which there was no room.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub left_out: usize,
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
        Self { check: check.to_owned(), severity, found, remedy, objects: Vec::new(), left_out: 0, engine: None }
    }

    /// The same about many objects: all that are known, and how many more there are.
    pub fn about(mut self, objects: Vec<String>, left_out: usize) -> Self {
        (self.objects, self.left_out) = (objects, left_out);
        self
    }

    /// The same, of one engine, where another one may still be chosen.
    pub fn concerning(mut self, engine: CopyEngine, copy: &CopySettings) -> Self {
        self.engine = copy.undecided.then_some(engine);
        self
    }
}

fn is_zero(count: &usize) -> bool {
    *count == 0
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
    /// How many findings travel; what the others say is among the objects of the last one of their check.
    pub const LISTED: usize = 80;
    /// Longest lists of objects of all findings together, in bytes of JSON: a state carries 256 KB, and the findings of two steps
    /// and the plan travel together.
    const LONGEST_LISTS: usize = 60_000;
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
        bound_lists(&mut all, Self::LONGEST_LISTS);
        Self { blockers, warnings, of_engines, text: text(&all), list: all }
    }

    /// With those of one more check.
    pub fn and(mut self, more: Vec<Finding>) -> Self {
        let more = Self::collect(more);
        self.blockers += more.blockers;
        self.warnings += more.warnings;
        self.list.extend(more.list);
        self.list = fair_share(self.list, Self::LISTED);
        self.list.sort_by_key(|finding| finding.severity == Severity::Warning);
        bound_lists(&mut self.list, Self::LONGEST_LISTS);
        Self { text: text(&self.list), ..self }
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
/// crowds no other out. What is kept stays in its order; the last of a check that lost some takes what they say along.
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
    let mut cut: BTreeMap<String, Vec<Finding>> = BTreeMap::new();
    let mut listed: Vec<Finding> = Vec::new();
    for (place, finding) in all.into_iter().enumerate() {
        match kept.contains(&place) {
            true => listed.push(finding),
            false => cut.entry(finding.check.clone()).or_default().push(finding),
        }
    }
    for (check, cut) in cut {
        if let Some(last) = listed.iter_mut().rev().find(|finding| finding.check == check) {
            last.found.push_str(&format!(" (and {} more findings of this check)", cut.len()));
            for finding in cut {
                last.left_out += finding.left_out;
                last.objects.push(finding.found);
                last.objects.extend(finding.objects);
            }
        }
    }
    listed
}

/// Cut lists of objects, the longest ones first, until all of them together fit; what is cut is counted.
fn bound_lists(findings: &mut [Finding], room: usize) {
    let mut places: Vec<usize> = (0..findings.len()).collect();
    places.sort_by_key(|place| findings[*place].objects.iter().map(|object| json_bytes(object)).sum::<usize>());
    let mut room = room;
    for (done, place) in places.iter().enumerate() {
        let share = room / (places.len() - done);
        let finding = &mut findings[*place];
        let mut used = 0;
        let fits = |object: &&String| {
            used += json_bytes(object);
            used <= share
        };
        let kept = finding.objects.iter().take_while(fits).count();
        finding.left_out += finding.objects.len() - kept;
        finding.objects.truncate(kept);
        room -= finding.objects.iter().map(|object| json_bytes(object)).sum::<usize>();
    }
}

/// Of a text in a list, at the most.
fn json_bytes(text: &str) -> usize {
    let escaped: usize = text
        .chars()
        .map(|c| {
            if c.is_control() {
                6
            } else if matches!(c, '"' | '\\') {
                2
            } else {
                c.len_utf8()
            }
        })
        .sum();
    escaped + 3
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
    fn findings_of_one_more_check_are_counted_and_blockers_stay_first() {
        let findings = Findings::collect(vec![Finding::blocker("a", "1", "fix"), Finding::warning("w", "2", "")]);

        let both = findings.and(vec![Finding::warning("v", "3", ""), Finding::blocker("b", "4", "fix")]);

        assert_eq!((both.blockers, both.warnings), (2, 2));
        assert_eq!(both.list.iter().map(|finding| finding.check.as_str()).collect::<String>(), "abwv");
        assert_eq!(both.text, "[a] 1 (fix)\n[b] 4 (fix)");
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
            assert!(found[9].ends_with("(and 11 more findings of this check)"), "{found:?}");
            let last = of(check)[9];
            assert_eq!((last.objects.len(), last.objects[10].as_str()), (11, format!("{check} 20").as_str()));
        }
    }

    #[test]
    fn the_longest_lists_are_cut_to_what_fits_and_what_is_cut_is_counted() {
        let about = |check: &str, count: usize| {
            let objects = (0..count).map(|n| format!("schema.\"A table\".column_{n:06}")).collect();
            Finding::blocker(check, "many", "").about(objects, 0)
        };
        let all = vec![about("enum", 20_000), about("inet", 3), about("composite", 20_000)];

        let list = Findings::collect(all).list;

        let of = |check: &str| list.iter().find(|finding| finding.check == check).expect("it is listed");
        assert_eq!((of("inet").objects.len(), of("inet").left_out), (3, 0));
        for check in ["enum", "composite"] {
            assert!(of(check).objects.len() > 500, "{}", of(check).objects.len());
            assert_eq!(of(check).objects.len() + of(check).left_out, 20_000);
        }
        let bytes = serde_json::to_string(&list).expect("it is JSON").len();
        assert!(bytes < Findings::LONGEST_LISTS + 1_000, "{bytes}");
    }
}
