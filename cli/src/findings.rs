//! What preflight found and what the plan expects: gathered for the report, and written out for the screen.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One finding, as the steps and the plan write it. Read more loosely than the contract's own type, which refuses unknown
/// members: the stack may have another version than the reader.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// Its kind: the id of the check.
    pub check: String,
    /// Blocker or warning.
    pub severity: Severity,
    /// What was found.
    pub found: String,
    /// What the operator can do about it.
    pub remedy: String,
    /// Everything that it is about, where that is more than it names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub objects: Vec<String>,
    /// How many more there are.
    #[serde(default)]
    pub left_out: usize,
}

/// Blockers come before warnings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Severity {
    /// Ends an upgrade before anything is touched.
    Blocker,
    /// Does not.
    Warning,
}

/// Everything that preflight and the plan say about the source.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Preflight {
    /// Number of blockers.
    pub blockers: u64,
    /// Number of warnings, the plan's own included.
    pub warnings: u64,
    /// The findings, blockers first. The steps bound their lists: there may be fewer here than were counted.
    pub findings: Vec<Finding>,
    /// What holds for every run.
    pub notes: Vec<String>,
}

impl Preflight {
    /// From the findings of the steps that check, and the plan. What is absent was not reached.
    pub fn gather<'a>(checks: impl IntoIterator<Item = &'a Value>, plan: Option<&'a Value>) -> Self {
        let mut all = Self::default();
        for check in checks.into_iter().chain(plan.map(|plan| &plan["findings"])) {
            all.blockers += check["blockers"].as_u64().unwrap_or_default();
            all.warnings += check["warnings"].as_u64().unwrap_or_default();
            all.findings.extend(findings(&check["list"]));
        }
        if let Some(plan) = plan {
            all.notes = texts(&plan["notes"]);
        }
        all.findings.sort_by_key(|finding| finding.severity);
        all
    }

    /// `1 blocker, 3 warnings`.
    pub fn count(&self) -> String {
        format!("{}, {}", counted(self.blockers, "blocker"), counted(self.warnings, "warning"))
    }

    /// Every finding, grouped by kind, with what to do about it. `full` names what has the lists in full.
    pub fn lines(&self, full: &str) -> Vec<String> {
        let verdict = match self.blockers {
            0 => "No blockers: an upgrade may start.",
            _ => "An upgrade would end here without any change. Remove the blockers first.",
        };
        let mut lines = vec![format!("Preflight: {}. {verdict}", self.count())];
        for (severity, check, findings) in self.groups() {
            let word = match severity {
                Severity::Blocker => "BLOCKER",
                Severity::Warning => "warning",
            };
            let count = if findings.len() > 1 { format!(" ({})", findings.len()) } else { String::new() };
            lines.push(format!("  {word}  {check}{count}"));
            for (place, finding) in findings.iter().enumerate() {
                lines.push(format!("    {}", finding.found));
                lines.extend(listed(finding, full).map(|line| format!("      {line}")));
                let next = findings.get(place + 1);
                // Findings that share a remedy are listed above it.
                if next.is_none_or(|next| next.remedy != finding.remedy) && !finding.remedy.is_empty() {
                    lines.push(format!("      what to do: {}", finding.remedy));
                }
            }
        }
        let unlisted = (self.blockers + self.warnings).saturating_sub(self.findings.len() as u64);
        if unlisted > 0 {
            lines
                .push(format!("  {unlisted} more of these kinds are in the logs of check-instance and check-database"));
        }
        lines.extend(self.notes.iter().map(|note| format!("  note     {note}")));
        lines
    }

    /// One line for a run that went on: how many of which kind, and what has them in full.
    pub fn line(&self, full: &str) -> Option<String> {
        let kinds: Vec<_> = self
            .groups()
            .into_iter()
            .map(|(_, check, findings)| match findings.len() {
                1 => check.to_owned(),
                many => format!("{check} ×{many}"),
            })
            .collect();
        (!kinds.is_empty()).then(|| format!("Preflight: {} ({}); see {full}", self.count(), kinds.join(", ")))
    }

    /// By severity and kind, each kind where its first finding stands.
    fn groups(&self) -> Vec<(Severity, &str, Vec<&Finding>)> {
        let mut groups: Vec<(Severity, &str, Vec<&Finding>)> = Vec::new();
        for finding in &self.findings {
            let kind = (finding.severity, finding.check.as_str());
            match groups.iter_mut().find(|(severity, check, _)| (*severity, *check) == kind) {
                Some((_, _, findings)) => findings.push(finding),
                None => groups.push((finding.severity, &finding.check, vec![finding])),
            }
        }
        groups
    }
}

/// What the plan expects: phases, outage, cost.
pub fn plan_lines(plan: &Value) -> Vec<String> {
    let seconds = |value: &Value| value.as_f64().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mut lines = vec![
        format!("Copy engine: {}, because {}", text(&plan["engine"]), text(&plan["why"])),
        format!("Plan: an upgrade would take about {:.0} s", seconds(&plan["seconds"])),
    ];
    for engine in list(&plan["engines"]) {
        lines.insert(
            1,
            format!(
                "  {:<8}{} blockers, {:.0} s, an outage of {:.2} s, {:.2} USD",
                text(&engine["engine"]),
                engine["blockers"],
                seconds(&engine["seconds"]),
                seconds(&engine["outageMilliseconds"]) / 1_000.0,
                seconds(&engine["usd"])
            ),
        );
    }
    lines.extend(
        list(&plan["phases"])
            .iter()
            .map(|phase| format!("  {:<34}{:>8.1} s", text(&phase["name"]), seconds(&phase["seconds"]))),
    );
    let outage = &plan["outage"];
    lines.push(String::new());
    lines.push(format!(
        "Expected outage: {:.2} s without an acknowledged write. Its parts:",
        seconds(&outage["milliseconds"]) / 1_000.0
    ));
    lines.extend(
        list(&outage["parts"])
            .iter()
            .map(|part| format!("  {:<58}{:>8.2} s", text(&part["what"]), seconds(&part["milliseconds"]) / 1_000.0)),
    );
    lines.extend(list(&outage["switches"]).iter().map(|switch| {
        let span = |who: &str| {
            let of = &switch[who];
            let (expected, bound) = (seconds(&of["milliseconds"]), seconds(&of["atMostMilliseconds"]));
            format!("{:.1} s (at most {:.1} s)", expected / 1_000.0, bound / 1_000.0)
        };
        let when = if switch["record"] == "beforeFence" { "before the fence" } else { "during the drain" };
        format!("  record changes {when}: connected clients {}, new ones {}", span("connected"), span("new"))
    }));
    lines.extend(
        outage["rebootSeconds"]
            .as_f64()
            .map(|seconds| format!("  (and long before it, a restart of the source: {seconds:.1} s)")),
    );
    lines.extend(
        outage["deadlineSeconds"].as_u64().map(|seconds| format!("  (after {seconds} s, the run would roll back)")),
    );
    let cost = &plan["cost"];
    lines.push(String::new());
    lines.push(format!(
        "Cost, estimated from list prices of {}: {:.2} USD. Its parts:",
        text(&cost["pricesOf"]),
        seconds(&cost["usd"])
    ));
    lines.extend(cost_part_lines(cost));
    lines.extend(fail_back_lines(&plan["failBack"]));
    lines
}

/// Until when everybody could return to the source, what that costs, and what it depends on; nothing if it is not planned.
fn fail_back_lines(plan: &Value) -> Vec<String> {
    let Some(hours) = plan["keepHours"].as_u64() else { return Vec::new() };
    let number = |value: &Value| value.as_f64().unwrap_or_default();
    let mut lines = vec![
        String::new(),
        format!(
            "Failing back is possible for {hours} h after the target is open, until about {:.1} h after the start of the run.",
            number(&plan["untilSeconds"]) / 3_600.0
        ),
        format!(
            "Until then, both instances cost {:.2} USD per hour, {:.2} USD in total, {:.2} USD of it because of failBack. Its parts:",
            number(&plan["usdPerHour"]),
            number(&plan["cost"]["usd"]),
            number(&plan["extraUsd"])
        ),
    ];
    lines.extend(cost_part_lines(&plan["cost"]));
    for (title, member) in [
        ("It needs:", "needs"),
        ("What stays afterwards:", "stays"),
        ("What prevents it, or is missing on the source afterwards:", "notCarried"),
    ] {
        lines.push(title.to_owned());
        lines.extend(texts(&plan[member]).into_iter().map(|text| format!("  - {text}")));
    }
    lines
}

/// What a cost is made of, and what has no price.
pub fn cost_part_lines(cost: &Value) -> Vec<String> {
    let parts = cost["parts"].as_array().into_iter().flatten().map(|part| {
        let (what, usd) = (part["what"].as_str().unwrap_or_default(), part["usd"].as_f64().unwrap_or_default());
        format!("  {what:<66}{usd:>9.5} USD")
    });
    let unpriced = texts(&cost["unpriced"]).into_iter().map(|what| format!("  not included: {what}"));
    parts.chain(unpriced).collect()
}

/// Where the others are that a finding does not name.
fn listed(finding: &Finding, full: &str) -> Option<String> {
    let left_out = match finding.left_out {
        0 => String::new(),
        many => format!(" except {many}"),
    };
    (finding.objects.len() > 5)
        .then(|| format!("{full} lists all {}{left_out}", finding.objects.len() + finding.left_out))
}

/// A finding that this program cannot read is shown as it is, never left out.
fn findings(list: &Value) -> Vec<Finding> {
    let read = |value: &Value| {
        serde_json::from_value(value.clone()).unwrap_or_else(|_| Finding {
            check: "unknown".to_owned(),
            severity: Severity::Blocker,
            found: value.to_string(),
            remedy: String::new(),
            objects: Vec::new(),
            left_out: 0,
        })
    };
    list.as_array().into_iter().flatten().map(read).collect()
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(|text| text.as_str().map(str::to_owned)).collect()
}

fn counted(number: u64, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn gathered() -> Preflight {
        let instance = json!({"blockers": 0, "warnings": 1, "text": "", "list": [
            {"check": "storage", "severity": "warning", "found": "storage is nearly full", "remedy": "grow it"}]});
        let database = json!({"blockers": 2, "warnings": 31, "text": "..", "list": [
            {"check": "column-type", "severity": "blocker", "found": "a.b is an enum", "remedy": "use text"},
            {"check": "column-type", "severity": "blocker", "found": "a.c is an enum", "remedy": "use text"},
            {"check": "unlogged-table", "severity": "warning", "found": "u is unlogged", "remedy": "log it"}]});
        let plan = json!({"findings": {"blockers": 0, "warnings": 1, "list": [
            {"check": "long-load", "severity": "warning", "found": "the load takes days", "remedy": "a larger class"}]},
            "notes": ["clients must reconnect"]});
        Preflight::gather([&instance, &database], Some(&plan))
    }

    #[test]
    fn every_finding_is_shown_with_its_remedy_blockers_first_and_each_kind_together() {
        assert_eq!(
            gathered().lines("report.json"),
            [
                "Preflight: 2 blockers, 33 warnings. An upgrade would end here without any change. Remove the blockers first.",
                "  BLOCKER  column-type (2)",
                "    a.b is an enum",
                "    a.c is an enum",
                "      what to do: use text",
                "  warning  storage",
                "    storage is nearly full",
                "      what to do: grow it",
                "  warning  unlogged-table",
                "    u is unlogged",
                "      what to do: log it",
                "  warning  long-load",
                "    the load takes days",
                "      what to do: a larger class",
                "  30 more of these kinds are in the logs of check-instance and check-database",
                "  note     clients must reconnect",
            ]
        );
    }

    #[test]
    fn findings_of_one_kind_with_remedies_of_their_own_keep_them() {
        let check = json!({"blockers": 2, "warnings": 0, "list": [
            {"check": "c", "severity": "blocker", "found": "one", "remedy": "first"},
            {"check": "c", "severity": "blocker", "found": "two", "remedy": "second"}]});

        let lines = Preflight::gather([&check], None).lines("report.json");

        assert_eq!(lines[2..], ["    one", "      what to do: first", "    two", "      what to do: second"]);
    }

    #[test]
    fn a_finding_about_many_objects_says_where_they_are_listed() {
        let objects: Vec<_> = (0..90).map(|n| format!("a.c{n}")).collect();
        let check = json!({"blockers": 1, "warnings": 0, "list": [
            {"check": "c", "severity": "blocker", "found": "100 columns", "remedy": "r", "objects": objects, "leftOut": 10}]});

        let lines = Preflight::gather([&check], None).lines("report.json");

        assert_eq!(lines[3], "      report.json lists all 100 except 10");
    }

    #[test]
    fn nothing_found_is_said_too_and_takes_no_line_in_a_run() {
        let nothing = Preflight::gather([&json!({"blockers": 0, "warnings": 0, "list": []})], None);

        assert_eq!(
            nothing.lines("report.json"),
            ["Preflight: 0 blockers, 0 warnings. No blockers: an upgrade may start."]
        );
        assert_eq!(nothing.line("report.json"), None);
    }

    #[test]
    fn a_run_that_went_on_names_the_kinds() {
        let expected =
            "Preflight: 2 blockers, 33 warnings (column-type ×2, storage, unlogged-table, long-load); see report.json";

        assert_eq!(gathered().line("report.json").as_deref(), Some(expected));
    }

    #[test]
    fn a_finding_of_an_unknown_form_is_not_lost() {
        let check = json!({"blockers": 1, "warnings": 0, "list": [{"something": "else"}]});

        let lines = Preflight::gather([&check], None).lines("report.json");

        assert!(lines.iter().any(|line| line.contains("something")), "{lines:?}");
    }

    #[test]
    fn the_plan_has_phases_outage_and_cost() {
        let plan = json!({
            "seconds": 120.0,
            "phases": [{"name": "preflight", "seconds": 20.0}, {"name": "load", "seconds": 100.0}],
            "outage": {"milliseconds": 1500.0, "parts": [{"what": "fence", "milliseconds": 1500.0}],
                       "rebootSeconds": 20.0, "deadlineSeconds": 60},
            "cost": {"usd": 1.5, "pricesOf": "2026-01", "parts": [{"what": "target", "usd": 1.5}], "unpriced": ["x"]}
        });

        let text = plan_lines(&plan).join("\n");

        for part in [
            "about 120 s",
            "load                                 100.0 s",
            "1.50 s without an acknowledged write",
            "restart of the source: 20.0 s",
            "after 60 s",
            "1.50 USD",
            "not included: x",
        ] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
    }

    #[test]
    fn a_plan_with_a_time_to_fail_back_has_a_part_about_it_and_another_has_none() {
        let plan = json!({"failBack": {
            "keepHours": 72, "untilSeconds": 270_000.0, "usdPerHour": 0.5, "extraUsd": 19.0,
            "cost": {"usd": 36.0, "parts": [{"what": "source", "usd": 18.0}], "unpriced": ["target"]},
            "needs": ["free storage"], "stays": ["a setting"], "notCarried": ["new tables"]
        }});

        let text = plan_lines(&plan).join("\n");

        for part in [
            "possible for 72 h after the target is open, until about 75.0 h after the start",
            "both instances cost 0.50 USD per hour, 36.00 USD in total, 19.00 USD of it",
            "not included: target",
            "It needs:\n  - free storage",
            "What stays afterwards:\n  - a setting",
            "afterwards:\n  - new tables",
        ] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
        assert!(!plan_lines(&json!({})).join("\n").contains("Failing back"));
    }
}
