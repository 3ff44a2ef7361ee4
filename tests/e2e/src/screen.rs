//! What a person sees: a live line on a terminal, plain lines in a log, a summary at the end.

use std::io::{IsTerminal, Write};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::Value;

use crate::observer::AT_DRAIN_POINT;
use crate::report::{Failure, Report, Status};
use pgleap_cli::findings::{cost_part_lines, plan_lines};
use pgleap_cli::lines::{phases, thousands};

/// A moment of the run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Moment {
    /// The phase.
    pub phase: String,
    /// The phase after it.
    pub next: Option<String>,
    /// The state, and what it waits for.
    pub detail: String,
    /// Tables loaded, of how many.
    pub tables: Option<(i64, i64)>,
    /// Rows written to the target so far.
    pub rows: Option<i64>,
    /// Bytes of WAL that the target has not taken yet.
    pub lag_bytes: Option<i64>,
    /// Acknowledged writes a second.
    pub tps: f64,
    /// Acknowledged writes.
    pub acknowledged: u64,
    /// What keeps clients from writing at this moment.
    pub trouble: Option<String>,
}

/// The screen.
pub struct Screen {
    live: Option<ProgressBar>,
    began: Instant,
    phase: String,
    doing: Mutex<String>,
    last_line: Instant,
}

/// In a log a line of progress comes this often.
const LINE_EVERY: Duration = Duration::from_secs(10);

impl Default for Screen {
    fn default() -> Self {
        Self::new()
    }
}

impl Screen {
    /// A live screen if standard output is a terminal.
    pub fn new() -> Self {
        let live = std::io::stdout().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stdout_with_hz(8));
            bar.set_style(
                ProgressStyle::with_template("{spinner:.cyan} {wide_msg}").expect("the template is fixed and valid"),
            );
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        let now = Instant::now();
        Self { live, began: now, phase: String::new(), doing: Mutex::default(), last_line: now }
    }

    /// A line that stays.
    pub fn say(&self, line: impl AsRef<str>) {
        let line = format!("{:>6.1}s  {}", self.began.elapsed().as_secs_f64(), line.as_ref());
        match &self.live {
            Some(bar) => bar.println(line),
            None => print(&line),
        }
    }

    /// What is being done now, before the run has phases.
    pub fn doing(&self, what: &str) {
        let mut doing = self.doing.lock().unwrap_or_else(PoisonError::into_inner);
        if *doing == what {
            return;
        }
        what.clone_into(&mut doing);
        match &self.live {
            Some(bar) => bar.set_message(what.to_owned()),
            None => self.say(what),
        }
    }

    /// The run has moved on.
    pub fn show(&mut self, moment: &Moment) {
        if moment.phase != self.phase {
            self.phase.clone_from(&moment.phase);
            let next = moment.next.as_ref().map(|next| format!("   (next: {next})")).unwrap_or_default();
            self.say(format!("▶ {}{next}", moment.phase));
            self.last_line = Instant::now();
        }
        match &self.live {
            Some(bar) => bar.set_message(line_of(moment)),
            None if self.last_line.elapsed() >= LINE_EVERY => {
                self.say(line_of(moment));
                self.last_line = Instant::now();
            }
            None => {}
        }
    }

    /// The end of the live part.
    pub fn finish(&self) {
        if let Some(bar) = &self.live {
            bar.finish_and_clear();
        }
    }

    /// The summary.
    pub fn summarise(&self, report: &Report) {
        self.finish();
        print(&summary(report));
    }
}

fn print(text: &str) {
    // A closed pipe is no reason to fail a run.
    let _nobody_reads = writeln!(std::io::stdout(), "{text}");
}

fn line_of(moment: &Moment) -> String {
    let mut parts = vec![format!("{}: {}", moment.phase, moment.detail)];
    parts.extend(moment.tables.map(|(loaded, all)| format!("tables {loaded}/{all}")));
    parts.extend(moment.rows.map(|rows| format!("rows {}", thousands(rows))));
    parts.extend(moment.lag_bytes.map(|bytes| format!("lag {:.1} MB", bytes as f64 / 1e6)));
    parts.push(format!("clients {:.0}/s, {} writes", moment.tps, thousands(moment.acknowledged.cast_signed())));
    parts.extend(moment.trouble.as_ref().map(|trouble| format!("clients wait: {trouble}")));
    parts.join(" · ")
}

/// What a newcomer should take home.
pub fn summary(report: &Report) -> String {
    let mut lines = vec![String::new()];
    let versions = match report.target.version.as_str() {
        "" => format!("PostgreSQL {}", report.source.version), // a plan, or a run that went back: there is no target
        target => format!("PostgreSQL {} → {target}", report.source.version),
    };
    let what = if report.plan_only { "the plan for " } else { "" };
    match (&report.status, &report.error) {
        (Status::Succeeded, _) => lines.push(format!(
            "SUCCEEDED  {what}{versions}, while clients got {} writes acknowledged",
            thousands(report.clients.acknowledged.cast_signed())
        )),
        (Status::Failed, Some(failure)) => {
            lines.push(format!("FAILED  {what}{versions}\n  {}: {}", failure.error, cause_of(report, failure)))
        }
        (Status::Failed, None) => lines.push(format!("FAILED  {what}{versions}")),
    }
    lines.extend(report.functions.iter().map(|zips| format!("Functions: release builds in {}", zips.display())));
    lines.extend(report.dump.iter().flat_map(|dump| dump.lines()));
    lines.push(String::new());
    if report.ended_with_preflight() {
        lines.extend(report.preflight.lines("report.json"));
        lines.push(String::new());
    } else {
        lines.extend(report.preflight.line("report.json"));
    }
    if let Some(plan) = report.plan.as_ref().filter(|_| report.plan_only) {
        lines.extend(plan_lines(plan));
        lines.push(String::new());
    }
    lines.extend(phases(report.machine.seconds, report.machine.transitions, &report.phases));
    if !report.ended_with_preflight() {
        lines.extend(repair_lines(report));
        lines.extend(outage_lines(report));
        lines.extend(report.fail_back.iter().flat_map(|fail_back| fail_back.lines()));
        lines.extend(cost_lines(report));
    }
    lines.push(String::new());
    lines.extend(proof_lines(report));
    lines.extend(report.scenario.iter().flat_map(scenario_lines));
    lines.join("\n")
}

/// A blocked run's cause is the list of blockers, which is shown below it.
fn cause_of(report: &Report, failure: &Failure) -> String {
    match failure.error.as_str() {
        "PreflightBlocked" if !report.preflight.findings.is_empty() => {
            format!("preflight found {}, listed below; see docs/runbook/PreflightBlocked.md", report.preflight.count())
        }
        _ => failure.cause.clone(),
    }
}

fn repair_lines(report: &Report) -> Vec<String> {
    let mut lines = Vec::new();
    for repair in &report.repairs {
        let text = |name: &str| repair[name].as_str().unwrap_or_default().to_owned();
        let tables: Vec<&str> = repair["tables"].as_array().into_iter().flatten().filter_map(|t| t.as_str()).collect();
        let of = if tables.is_empty() { String::new() } else { format!(" ({})", tables.join(", ")) };
        let (before, after, seconds) = (text("before"), text("after"), &repair["seconds"]);
        let usd = repair["estimatedCost"]["usdPerHourAfter"].as_f64();
        let cost = usd.map_or(String::new(), |usd| format!(", about {usd:.3} USD per hour"));
        lines.push(format!("  {:<34}{before} → {after}, {seconds} s{of}{cost}", text("kind")));
    }
    if !lines.is_empty() {
        lines.splice(0..0, [String::new(), "Repairs by the run:".to_owned()]);
    }
    lines
}

fn outage_lines(report: &Report) -> Vec<String> {
    let outage = &report.outage;
    let mut lines = vec![String::new()];
    match outage.write_seconds {
        Some(seconds) => lines.push(format!(
            "Outage, as clients saw it: {seconds:.2} s without an acknowledged write{}. Its parts:",
            outage.expected_seconds.map_or(String::new(), |expected| format!(" (expected {expected:.2} s)"))
        )),
        None => lines.push("Outage: unknown, because no client wrote to both sides".to_owned()),
    }
    lines.extend(outage.made_of.iter().map(|part| format!("  {:<34}{:>8.2} s", part.name, part.seconds)));
    lines.extend(outage.fence_seconds.map(|seconds| format!("  (applications could not connect for {seconds:.2} s)")));
    lines.extend(
        outage.longest_client_seconds.map(|seconds| format!("  (the longest wait of one client: {seconds:.2} s)")),
    );
    let of = |who: &str, seconds: &[f64]| {
        let middle = seconds.get(seconds.len() / 2)?;
        let longest = seconds.last()?;
        Some(format!("  {who}: median {middle:.2} s, longest {longest:.2} s"))
    };
    lines.extend(of("clients that keep their connection", &outage.connected_seconds));
    lines.extend(of("clients that connect for every transaction", &outage.visiting_seconds));
    let refusals = &outage.refusals;
    if refusals.by_source + refusals.by_target + refusals.by_open_target > 0 {
        lines.push(format!(
            "  connections refused: {} by the fenced source, {} by the target before OPEN (within {:.1} s), {} after it",
            refusals.by_source, refusals.by_target, refusals.target_refused_seconds, refusals.by_open_target
        ));
    }
    lines.extend(outage.forecast.as_ref().map(forecast_line));
    lines.push(report.dns.line());
    let other = outage.longest_other_gap_seconds.filter(|seconds| *seconds > 1.0);
    lines.extend(other.map(|seconds| {
        format!("  (outside the cutover, one client waited {seconds:.2} s: a restart of the source, or a busy machine)")
    }));
    lines
}

/// What the run expected at the gate.
pub(crate) fn forecast_line(output: &Value) -> String {
    let span = |who: &str| {
        let outage = &output["forecast"][who];
        let seconds = |member: &str| outage[member].as_f64().unwrap_or_default() / 1_000.0;
        format!("{:.2} s (at most {:.2} s)", seconds("milliseconds"), seconds("atMostMilliseconds"))
    };
    let when = match output["switch"]["record"].as_str() {
        Some("beforeFence") => "before the fence",
        _ => "during the drain",
    };
    format!(
        "  forecast of the run: {} for connected clients, {} for new ones; the record changed {when}: {}",
        span("connected"),
        span("new"),
        output["switch"]["reason"].as_str().unwrap_or_default()
    )
}

fn cost_lines(report: &Report) -> Vec<String> {
    let Some(own) = &report.cost else { return Vec::new() };
    let cost = &own["cost"];
    let usd = |value: &Value| format!("{:.2} USD", value.as_f64().unwrap_or_default());
    let expected =
        report.expected_cost.as_ref().map_or(String::new(), |plan| format!(", expected {}", usd(&plan["usd"])));
    let mut lines = vec![
        String::new(),
        format!(
            "Cost, estimated from list prices of {}: {}{expected}. Its parts:",
            cost["pricesOf"].as_str().unwrap_or_default(),
            usd(&cost["usd"])
        ),
    ];
    lines.extend(cost_part_lines(cost));
    lines
}

fn proof_lines(report: &Report) -> Vec<String> {
    let clients = &report.clients;
    let equal = report.tables.iter().filter(|table| table.equal).count();
    let rows: i64 = report.tables.iter().filter_map(|table| table.rows_target).sum();
    let past = report.sequences.iter().filter(|sequence| sequence.past).count();
    let fresh = report.materialized_views.iter().filter(|view| view.is_fresh()).count();
    let holds = clients.invariants.iter().filter(|invariant| invariant.holds).count();
    let peak = report.lambdas.iter().map(|lambda| lambda.peak_bytes).max().unwrap_or_default();
    let writes = format!(
        "  {:<34}{} lost, {} duplicated, {} without a response to COMMIT",
        "acknowledged writes", clients.lost, clients.duplicated, clients.unknown
    );
    let compared = [
        format!(
            "  {:<34}{equal} of {} equal at the drain point ({} rows)",
            "tables",
            report.tables.len(),
            thousands(rows)
        ),
        format!("  {:<34}{past} of {} at or past the source's value", "sequences", report.sequences.len()),
        format!("  {:<34}{fresh} of {} as fresh as the fence", "materialized views", report.materialized_views.len()),
    ];
    let always = [
        format!("  {:<34}{}", "schema differences", report.schema_differences.len()),
        format!("  {:<34}{holds} of {} hold", "invariants of the data", clients.invariants.len()),
        format!(
            "  {:<34}{} leaks of {} secrets in {} texts",
            "secrets",
            report.secrecy.leaks.len(),
            report.secrecy.secrets,
            report.secrecy.texts
        ),
        format!("  {:<34}{:.0} MB", "peak memory of a function", peak as f64 / 1e6),
    ];
    let mut lines = vec!["Checks:".to_owned(), writes];
    // Without a cutover nothing was compared between two sides.
    lines.extend(compared.into_iter().filter(|_| !report.ended_with_preflight()));
    lines.extend(always);
    if report.comparison != AT_DRAIN_POINT && !report.tables.is_empty() {
        lines.push(format!("  tables were not compared at the drain point: {}", report.comparison));
    }
    for table in report.tables.iter().filter(|table| !table.equal).take(10) {
        let (schema, name, ours, theirs) = (&table.schema, &table.name, table.rows_source, table.rows_target);
        lines.push(format!("    differs: {schema}.{name} ({ours:?} rows on the source, {theirs:?} on the target)"));
        lines.extend(table.differing.iter().map(|row| format!("      {row}")));
    }
    lines.extend(report.sequences.iter().filter(|sequence| !sequence.past).take(10).map(|sequence| {
        format!(
            "    behind: {} ({:?} on the source, {:?} on the target)",
            sequence.name, sequence.source, sequence.target
        )
    }));
    lines.extend(
        report
            .materialized_views
            .iter()
            .filter(|view| !view.is_fresh())
            .map(|view| format!("    stale: {}", view.name)),
    );
    lines.extend(report.schema_differences.iter().take(15).map(|difference| {
        let (kind, name, fact) = (&difference.kind, &difference.name, &difference.fact);
        format!("    {kind} {name}, {fact}: {:?} → {:?}", difference.source, difference.target)
    }));
    lines.extend(report.warnings.iter().map(|warning| {
        let text = |member: &str| warning[member].as_str().unwrap_or_default().to_owned();
        format!("    unfinished, as the run reports: {} ({})", text("object"), text("reason"))
    }));
    lines.extend(clients.examples.iter().take(5).map(|example| format!("    {example}")));
    lines
}

fn scenario_lines(scenario: &crate::report::ScenarioReport) -> Vec<String> {
    let verdict = if scenario.broken.is_empty() { "kept" } else { "BROKEN" };
    let mut lines = vec![String::new(), format!("Disturbance {}: {} — {verdict}", scenario.name, scenario.promise)];
    lines.extend(scenario.broken.iter().map(|what| format!("  {what}")));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use pgleap_cli::findings::Preflight;
    use serde_json::json;

    #[test]
    fn the_line_names_what_is_known_and_nothing_else() {
        let mut moment = Moment {
            phase: "load".to_owned(),
            detail: "CopyData".to_owned(),
            tps: 250.4,
            acknowledged: 1_234_567,
            ..Moment::default()
        };
        assert_eq!(line_of(&moment), "load: CopyData · clients 250/s, 1,234,567 writes");

        moment.tables = Some((3, 40));
        moment.lag_bytes = Some(2_500_000);
        assert_eq!(line_of(&moment), "load: CopyData · tables 3/40 · lag 2.5 MB · clients 250/s, 1,234,567 writes");
    }

    #[test]
    fn a_failure_is_told_with_its_word_and_cause() {
        let error = Some(Failure { error: "CopyDiffers".to_owned(), cause: "table a".to_owned() });
        let text = summary(&Report { error, ..Report::default() });

        assert!(text.contains("FAILED") && text.contains("CopyDiffers: table a"), "{text}");
    }

    fn with_a_blocker() -> Report {
        let found = json!({"blockers": 1, "warnings": 0, "list": [
            {"check": "column-type", "severity": "blocker", "found": "public.person.mood is an enum", "remedy": "make it text"}]});
        Report { preflight: Preflight::gather([&found], None), ..Report::default() }
    }

    #[test]
    fn a_plan_shows_what_it_found_and_what_it_expects_and_no_cutover() {
        let plan = json!({"seconds": 90.0, "phases": [{"name": "load", "seconds": 90.0}]});
        let report = Report { status: Status::Succeeded, plan_only: true, plan: Some(plan), ..with_a_blocker() };

        let text = summary(&report);

        for part in
            ["SUCCEEDED  the plan for", "1 blocker", "public.person.mood is an enum", "make it text", "about 90 s"]
        {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
        for part in ["no client wrote to both sides", "drain point"] {
            assert!(!text.contains(part), "{part} is in\n{text}");
        }
    }

    #[test]
    fn a_blocked_run_shows_each_blocker_once() {
        let cause = "[column-type] public.person.mood is an enum (make it text)".to_owned();
        let error = Some(Failure { error: "PreflightBlocked".to_owned(), cause });

        let text = summary(&Report { error, ..with_a_blocker() });

        assert_eq!(text.matches("public.person.mood is an enum").count(), 1, "{text}");
        assert!(text.contains("make it text"), "{text}");
    }

    #[test]
    fn a_run_that_went_on_names_what_preflight_warned_of() {
        let found = json!({"blockers": 0, "warnings": 1, "list": [
            {"check": "unlogged-table", "severity": "warning", "found": "u", "remedy": "r"}]});
        let text = summary(&Report { preflight: Preflight::gather([&found], None), ..Report::default() });

        assert!(text.contains("Preflight: 0 blockers, 1 warning (unlogged-table)"), "{text}");
    }
}
