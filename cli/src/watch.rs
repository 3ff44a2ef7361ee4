//! Follow an execution to its end, over lost connections. Everything is read from Step Functions, so the command can be
//! ended and started again at any time.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::follow::{Execution, Standing, Unread};
use crate::history::{History, next_phase, phase_of};
use crate::lines::{clock, duration, thousands};
use crate::{findings, lines};

/// What has everything that the summary shortens.
const FULL: &str = "the execution's history";
/// Between two readings: everybody in the account shares the quotas of these calls.
const EVERY: Duration = Duration::from_secs(2);
/// In a log a line of progress comes this often.
const LINE_EVERY: Duration = Duration::from_secs(30);
/// Between two attempts while Step Functions cannot be reached.
const RETRY_EVERY: Duration = Duration::from_secs(5);

/// Follow it and show each phase as it begins. Answers how it ended.
///
/// # Errors
/// Step Functions refuses the calls. While it cannot be reached, they are repeated.
pub async fn watch(execution: &mut Execution) -> Result<Standing> {
    let mut screen = Screen::new();
    loop {
        match execution.read().await {
            Ok(standing) => {
                screen.show(&execution.history, &standing);
                if standing.is_over() {
                    screen.finish();
                    return Ok(standing);
                }
                tokio::time::sleep(EVERY).await;
            }
            Err(Unread::Refused(why)) => bail!("{why}"),
            Err(Unread::Lost(why)) => {
                screen.lost(&why);
                tokio::time::sleep(RETRY_EVERY).await;
            }
        }
    }
}

/// What was shown, and where.
struct Screen {
    live: Option<ProgressBar>,
    shown: usize,
    last_line: Option<Instant>,
    is_lost: bool,
}

impl Screen {
    fn new() -> Self {
        let live = std::io::stdout().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stdout_with_hz(4));
            bar.set_style(
                ProgressStyle::with_template("{spinner:.cyan} {wide_msg}").expect("the template is fixed and valid"),
            );
            bar.enable_steady_tick(Duration::from_millis(250));
            bar
        });
        Self { live, shown: 0, last_line: None, is_lost: false }
    }

    fn show(&mut self, history: &History, standing: &Standing) {
        self.is_lost = false;
        let phases = history.phases(standing.started + standing.seconds);
        for phase in phases.iter().skip(self.shown) {
            let next = next_phase(&phase.name).map(|next| format!("   (next: {next})")).unwrap_or_default();
            self.say(&format!("{:>8}  ▶ {}{next}", clock(phase.started_at - standing.started), phase.name));
        }
        self.shown = self.shown.max(phases.len());
        if phases.is_empty() {
            return; // it was started a moment ago
        }
        let line = moment(history, standing);
        match &self.live {
            Some(bar) => bar.set_message(line),
            None if self.last_line.is_none_or(|last| last.elapsed() >= LINE_EVERY) => {
                self.say(&format!("{:>8}  {line}", clock(standing.seconds)));
                self.last_line = Some(Instant::now());
            }
            None => {}
        }
    }

    fn lost(&mut self, why: &str) {
        if !std::mem::replace(&mut self.is_lost, true) {
            self.say(&format!(
                "Step Functions cannot be reached ({why}). The run continues; trying again until it can be."
            ));
        }
    }

    fn say(&self, line: &str) {
        match &self.live {
            Some(bar) => bar.println(line),
            None => print(line),
        }
    }

    fn finish(&self) {
        if let Some(bar) = &self.live {
            bar.finish_and_clear();
        }
    }
}

fn print(text: &str) {
    // A closed pipe is no reason to fail.
    let _nobody_reads = writeln!(std::io::stdout(), "{text}");
}

/// Where it is: phase, state, what it waits for, progress, and when it will probably end.
fn moment(history: &History, standing: &Standing) -> String {
    let state = history.state().unwrap_or("StartRun");
    let phase = phase_of(state);
    let detail = history.waiting_for().map(|waiting_for| format!(", {waiting_for}")).unwrap_or_default();
    let mut parts = vec![format!("{phase}: {state}{detail}")];
    if let Some(load) = history.load().filter(|_| phase == "load") {
        let all = load.loaded + load.loading + load.queued + load.errored;
        parts.push(format!("{} % loaded, tables {}/{}", load.percent, thousands(load.loaded), thousands(all)));
    }
    let now = standing.started + standing.seconds;
    parts.extend(history.remaining_seconds(now).map(|seconds| format!("about {} left", duration(seconds))));
    if history.question().is_some() {
        parts.push("a person must answer: pgleap answer".to_owned());
    }
    parts.join(" · ")
}

/// How it ended, for the screen: what preflight found, the plan of a plan, the phases, what it cost.
pub fn summary(history: &History, standing: &Standing) -> Vec<String> {
    let mut all = vec![String::new(), ending(standing), String::new()];
    let preflight = history.preflight();
    let is_plan = history.has_entered("Planned") || standing.error.as_deref() == Some("PreflightBlocked");
    if is_plan {
        all.extend(preflight.lines(FULL));
    } else {
        all.extend(preflight.line(FULL));
    }
    all.push(String::new());
    if let Some(plan) = history.plan().filter(|_| is_plan) {
        all.extend(findings::plan_lines(plan));
        all.push(String::new());
    }
    let end = standing.started + standing.seconds;
    all.extend(lines::phases(standing.seconds, history.transitions(), &history.phases(end)));
    for warning in history.warnings() {
        let text = |member: &str| warning[member].as_str().unwrap_or_default();
        all.push(format!("  not finished: {} ({})", text("object"), text("reason")));
    }
    all
}

fn ending(standing: &Standing) -> String {
    let error = standing.error.as_deref().unwrap_or_default();
    let cause = standing.cause.as_deref().map(crate::history::message_of).unwrap_or_default();
    match standing.status.as_str() {
        "SUCCEEDED" => "The execution SUCCEEDED.".to_owned(),
        status if error.is_empty() => format!("The execution ended {status}."),
        status => format!("The execution ended {status}: {error}\n  {cause}\n  See docs/runbook/{error}.md"),
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_sfn::types::ExecutionStatus;
    use serde_json::json;

    use super::*;
    use crate::history::{Event, What};

    fn history(events: Vec<What>) -> History {
        let mut history = History::default();
        for (number, what) in events.into_iter().enumerate() {
            history.read(&Event { id: number as i64 + 1, at: 100.0 + number as f64, what });
        }
        history
    }

    fn standing(status: ExecutionStatus, seconds: f64) -> Standing {
        Standing { status, error: None, cause: None, started: 100.0, seconds }
    }

    fn entered(state: &str) -> What {
        What::Entered { state: state.to_owned(), is_task: true }
    }

    #[test]
    fn a_moment_has_progress_and_the_time_that_is_left() {
        let plan = json!({"Payload": {"plan": {"phases": [
            {"name": "load", "seconds": 600.0}, {"name": "cutover", "seconds": 60.0}]}}});
        let progress = json!({"Payload": {"progress": {"percent": 40, "tablesLoaded": 3, "tablesQueued": 5}}});
        let history = history(vec![
            entered("PlanRun"),
            What::Exited("PlanRun".to_owned(), plan),
            entered("CopyData"),
            What::Exited("CopyData".to_owned(), progress),
            entered("LookSoon"),
        ]);

        let line = moment(&history, &standing(ExecutionStatus::Running, 62.0));

        assert_eq!(line, "load: LookSoon · 40 % loaded, tables 3/8 · about 10 min left");
    }

    #[test]
    fn the_end_names_the_error_and_its_page() {
        let mut failed = standing(ExecutionStatus::Failed, 5.0);
        failed.error = Some("FenceFailed".to_owned());
        failed.cause = Some(json!({"errorMessage": "2 sessions are left"}).to_string());

        let lines = summary(&history(vec![entered("FenceSource")]), &failed).join("\n");

        assert!(
            lines.contains("FAILED: FenceFailed\n  2 sessions are left\n  See docs/runbook/FenceFailed.md"),
            "{lines}"
        );
        assert!(lines.contains("cutover"), "{lines}");
    }
}
