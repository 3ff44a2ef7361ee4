//! The part `failBack` of the report.

use serde::Serialize;

use crate::observer::{AT_DRAIN_POINT, DrainPoint, SequenceComparison, TableComparison};
use crate::report::Outage;
use crate::screen::forecast_line;

/// What followed the upgrade.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FailBackReport {
    /// How the fail-back path was to end: `return`, `accept`, `expire`, `void`.
    pub ending: String,
    /// Executions that were started to fail back, in order; those that had to be refused are in `voids`.
    pub attempts: Vec<Attempt>,
    /// What clients felt of failing back; absent if nobody did. Its source is the new server.
    pub outage: Option<Outage>,
    /// Writes that the new server acknowledged before.
    pub writes_on_new_server: usize,
    /// How tables were compared.
    pub comparison: String,
    /// Tables that no comparison was sound for.
    pub uncompared_tables: Vec<String>,
    /// Every table at the drain point of failing back: `rowsSource` are the new server's.
    pub tables: Vec<TableComparison>,
    /// Every sequence at the same moment.
    pub sequences: Vec<SequenceComparison>,
    /// Tables that the operator accepted to leave behind.
    pub accepted: Vec<String>,
    /// Executions that checked the path; absent if nobody waited for its end.
    pub checks: Option<Checks>,
    /// How the recoveries ended that closed the path.
    pub closings: Vec<String>,
    /// What made failing back unsafe.
    pub voids: Vec<VoidReport>,
    /// What is left on either server, and what is open that must be closed.
    pub left_behind: Vec<String>,
}

/// An execution that was to fail back.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// How it ended.
    pub status: String,
    /// Its error, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// And that error's cause.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// From its start to its end.
    pub seconds: f64,
    /// How the recoveries ended that it took.
    pub recoveries: Vec<String>,
    /// The old server was open afterwards.
    pub led_back: bool,
    /// What did not hold after an attempt that left the new server serving.
    pub broken: Vec<String>,
}

/// Executions that checked the fail-back path.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Checks {
    /// How many were started.
    pub started: usize,
    /// Those that did not succeed: each with how it ended.
    pub failed: Vec<String>,
}

/// Something on the new server that the old one cannot follow.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VoidReport {
    /// What was done.
    pub change: String,
    /// After so many seconds people were notified.
    pub notified_seconds: Option<f64>,
    /// What the notification says of it.
    pub notified: Option<String>,
    /// What the execution that was started then ended with.
    pub refused_with: String,
    /// Everything that this names, in the words in which an operator accepts it.
    pub named: Vec<String>,
    /// What healed it; absent if nothing does.
    pub healed_by: Option<String>,
    /// What was not as promised.
    pub broken: Vec<String>,
}

/// What is left behind, and differs, so far as people are shown it.
const LISTED: usize = 10;
/// Checks that a path must have had when it expires.
const FEWEST_CHECKS: usize = 100;

impl FailBackReport {
    /// Both sides at the drain point of failing back.
    pub(super) fn take(&mut self, drain: DrainPoint) {
        self.comparison = drain.comparison;
        self.uncompared_tables = drain.uncompared;
        self.tables = drain.tables;
        self.sequences = drain.sequences;
    }

    /// Whether somebody was to fail back.
    pub fn leads_back(&self) -> bool {
        matches!(self.ending.as_str(), "return" | "accept")
    }

    /// Tables that differ at the drain point and were not accepted.
    pub fn differing(&self) -> impl Iterator<Item = &TableComparison> {
        let is_accepted = |table: &TableComparison| self.accepted.contains(&format!("{}.{}", table.schema, table.name));
        self.tables.iter().filter(move |table| !table.equal && !is_accepted(table))
    }

    /// What does not hold, in words; empty if all does.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = self.left_behind.clone();
        faults.extend(self.attempts.iter().flat_map(|attempt| attempt.broken.clone()));
        faults.extend(
            self.voids
                .iter()
                .flat_map(|void| void.broken.iter().map(|what| format!("{}: {what}", void.change)).collect::<Vec<_>>()),
        );
        match self.leads_back() {
            true => faults.extend(self.faults_of_return()),
            false => faults.extend(self.faults_of_closing()),
        }
        faults
    }

    fn faults_of_return(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let some = |count: usize, what: &str| (count > 0).then(|| format!("{count} {what}"));
        if !self.attempts.last().is_some_and(|last| last.led_back) {
            let last = self.attempts.last().map(|last| format!("{} {:?}", last.status, last.error));
            faults.push(format!("nobody returned to the old server: {}", last.unwrap_or_default()));
        }
        faults.extend(some(self.differing().count(), "tables differ at the drain point of failing back"));
        faults.extend(self.tables.is_empty().then(|| "no table was compared when failing back".to_owned()));
        let behind = self.sequences.iter().filter(|sequence| !sequence.past).count();
        faults.extend(some(behind, "sequences of the old server are behind the new one's"));
        faults.extend((self.writes_on_new_server == 0).then(|| "no client wrote to the new server".to_owned()));
        match self.outage.as_ref().map(|outage| (outage, outage.write_seconds)) {
            Some((outage, Some(seconds))) => {
                let late = seconds < 0.0;
                faults.extend(
                    late.then(|| "a write was acknowledged on the new server after the old one was open".to_owned()),
                );
                faults.extend(outage.faults().into_iter().map(|fault| format!("failing back: {fault}")));
            }
            _ => faults.push("no client wrote to both sides of failing back".to_owned()),
        }
        faults
    }

    fn faults_of_closing(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.closings.is_empty() || self.closings.iter().any(|status| status != "SUCCEEDED") {
            faults.push(format!("the recoveries that close the path ended with {:?}", self.closings));
        }
        let Some(checks) = &self.checks else { return faults };
        faults.extend(checks.failed.iter().map(|how| format!("a check of the path ended with {how}")));
        if self.ending == "expire" && checks.started < FEWEST_CHECKS {
            faults.push(format!("only {} checks of the path ran, expected {FEWEST_CHECKS}", checks.started));
        }
        faults
    }

    /// For people.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![String::new(), format!("Fail-back path ({}):", self.ending)];
        let line = |name: &str, what: String| format!("  {name:<34}{what}");
        for attempt in &self.attempts {
            let error = attempt.error.as_ref().map_or(String::new(), |error| format!(" with {error}"));
            let recoveries = match &attempt.recoveries[..] {
                [] => String::new(),
                some => format!(", recoveries: {}", some.join(", ")),
            };
            lines.push(line("execution", format!("{}{error}, {:.1} s{recoveries}", attempt.status, attempt.seconds)));
            lines.extend(attempt.cause.iter().map(|cause| format!("    {cause}")));
        }
        if let Some(outage) = &self.outage {
            lines.extend(self.outage_lines(outage));
        }
        for void in &self.voids {
            let after =
                void.notified_seconds.map_or("not notified".to_owned(), |after| format!("notified after {after:.1} s"));
            lines.push(line(&void.change, format!("{after}, refused with {}", void.refused_with)));
        }
        lines.extend(self.checks.as_ref().map(|checks| {
            line("checks of the path", format!("{} started, {} failed", checks.started, checks.failed.len()))
        }));
        if !self.leads_back() {
            lines.push(line("closed by", format!("recoveries: {}", self.closings.join(", "))));
        }
        let left = match self.left_behind.len() {
            0 => "nothing left behind on either server".to_owned(),
            count => format!("{count} things left behind"),
        };
        lines.push(line("clean-up", left));
        lines.extend(self.left_behind.iter().take(LISTED).map(|what| format!("    {what}")));
        lines
    }

    fn outage_lines(&self, outage: &Outage) -> Vec<String> {
        let line = |name: &str, what: String| format!("  {name:<34}{what}");
        let seconds = |value: Option<f64>| value.map_or("unknown".to_owned(), |seconds| format!("{seconds:.2} s"));
        let median = outage.connected_seconds.get(outage.connected_seconds.len() / 2).copied();
        let mut lines = vec![line(
            "outage of failing back",
            format!("{}, median of connected clients {}", seconds(outage.write_seconds), seconds(median)),
        )];
        lines.extend(outage.made_of.iter().map(|part| format!("    {:<32}{:>8.2} s", part.name, part.seconds)));
        lines.extend(outage.forecast.as_ref().map(forecast_line));
        let equal = self.tables.iter().filter(|table| table.equal).count();
        lines.push(line("tables", format!("{equal} of {} equal at the second drain point", self.tables.len())));
        if self.comparison != AT_DRAIN_POINT && !self.tables.is_empty() {
            lines.push(format!("    not compared at the drain point: {}", self.comparison));
        }
        for table in self.differing().take(LISTED) {
            let (ours, theirs) = (table.rows_source, table.rows_target);
            lines.push(format!(
                "    differs: {}.{} ({ours:?} rows on the new server, {theirs:?} on the old one)",
                table.schema, table.name
            ));
            lines.extend(table.differing.iter().map(|row| format!("      {row}")));
        }
        let past = self.sequences.iter().filter(|sequence| sequence.past).count();
        lines.push(line("sequences", format!("{past} of {} at or past the new server's", self.sequences.len())));
        lines.extend(self.sequences.iter().filter(|sequence| !sequence.past).take(LISTED).map(|sequence| {
            format!(
                "    behind: {} ({:?} on the new server, {:?} on the old one)",
                sequence.name, sequence.source, sequence.target
            )
        }));
        lines.push(line("writes on the new server", self.writes_on_new_server.to_string()));
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str, equal: bool) -> TableComparison {
        TableComparison {
            schema: "s".to_owned(),
            name: name.to_owned(),
            rows_source: Some(1),
            rows_target: Some(1),
            equal,
            differing: Vec::new(),
        }
    }

    fn returned() -> FailBackReport {
        let attempt = Attempt { status: "SUCCEEDED".to_owned(), led_back: true, ..Attempt::default() };
        FailBackReport {
            ending: "return".to_owned(),
            attempts: vec![attempt],
            outage: Some(Outage { write_seconds: Some(0.4), ..Outage::default() }),
            writes_on_new_server: 9,
            tables: vec![table("t", true)],
            ..FailBackReport::default()
        }
    }

    #[test]
    fn what_does_not_hold_when_everybody_has_returned_is_named() {
        assert_eq!(returned().faults(), Vec::<String>::new());
        type Spoil = fn(&mut FailBackReport);
        let cases: &[(Spoil, &str)] = &[
            (|report| report.attempts[0].led_back = false, "nobody returned to the old server: SUCCEEDED None"),
            (|report| report.tables[0].equal = false, "1 tables differ at the drain point of failing back"),
            (|report| report.tables.clear(), "no table was compared when failing back"),
            (|report| report.outage = None, "no client wrote to both sides of failing back"),
            (|report| report.writes_on_new_server = 0, "no client wrote to the new server"),
            (|report| report.left_behind = vec!["the new server has role r".to_owned()], "the new server has role r"),
        ];
        for (spoil, expected) in cases {
            let mut report = returned();
            spoil(&mut report);
            assert_eq!(report.faults(), [*expected]);
        }
    }

    #[test]
    fn a_table_that_was_accepted_may_be_left_behind() {
        let mut report = FailBackReport { accepted: vec!["s.new".to_owned()], ..returned() };
        report.tables.push(table("new", false));

        assert_eq!(report.faults(), Vec::<String>::new());
    }

    #[test]
    fn a_path_that_expired_was_checked_a_hundred_times_and_closed_once() {
        let checks = |started, failed: &[&str]| {
            Some(Checks { started, failed: failed.iter().map(|how| (*how).to_owned()).collect() })
        };
        let report = |checks, closings: &[&str]| FailBackReport {
            ending: "expire".to_owned(),
            checks,
            closings: closings.iter().map(|status| (*status).to_owned()).collect(),
            ..FailBackReport::default()
        };

        assert_eq!(report(checks(288, &[]), &["SUCCEEDED"]).faults(), Vec::<String>::new());
        assert_eq!(report(checks(99, &[]), &["SUCCEEDED"]).faults(), ["only 99 checks of the path ran, expected 100"]);
        assert_eq!(
            report(checks(288, &["FAILED"]), &["SUCCEEDED"]).faults(),
            ["a check of the path ended with FAILED"]
        );
        assert_eq!(report(checks(288, &[]), &[]).faults(), ["the recoveries that close the path ended with []"]);
    }
}
