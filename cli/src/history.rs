//! An execution's history, read as it grows: where the machine is, how far the load is, how long each phase took.
//!
//! Pure: events go in, a picture comes out. Fetching them is `follow`'s affair.

use std::collections::BTreeMap;

use pgleap_contract::Phase as Kind;
use serde::Serialize;
use serde_json::Value;

use crate::findings::Preflight;
use crate::states::STATES;

/// One event, reduced to what is used here.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Number in the history.
    pub id: i64,
    /// Epoch seconds.
    pub at: f64,
    /// What happened.
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// A state was entered; whether it is a task.
    Entered {
        /// Its name.
        state: String,
        /// It has a task that is scheduled next.
        is_task: bool,
    },
    /// A state was left, with its output.
    Exited(String, Value),
    /// A Parallel was left, and with it all its branches.
    ExitedParallel(String),
    /// A task was started, with what its function is sent; more than once for one state where it was retried.
    Scheduled(Value),
    /// A task failed: error and cause.
    Failed(String, String),
    /// Anything else.
    Other,
}

/// A phase of the run, with all its states.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Phase {
    /// Name for people.
    pub name: String,
    /// Epoch seconds.
    pub started_at: f64,
    /// Seconds from its first state to the next phase's.
    pub seconds: f64,
    /// What the run's plan expected; absent for the way back.
    pub expected_seconds: Option<f64>,
}

/// A visit of a state.
#[derive(Debug, Clone, PartialEq)]
pub struct Visit {
    /// The state.
    pub state: String,
    /// Entered, in epoch seconds.
    pub entered: f64,
    /// Left, in epoch seconds; absent while it lasts.
    pub left: Option<f64>,
}

/// Progress of the full load as the machine's looks show it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Load {
    /// Percent, as DMS estimates it.
    pub percent: i64,
    /// Tables loaded.
    pub loaded: i64,
    /// Tables in load.
    pub loading: i64,
    /// Tables still to load.
    pub queued: i64,
    /// Tables in error.
    pub errored: i64,
}

/// The phase that a state belongs to; a state that the machine assigns to none is a phase of its own.
pub fn phase_of(state: &str) -> &str {
    STATES.iter().find(|(name, _)| *name == state).map_or(state, |(_, phase)| phase.name())
}

/// The phase that comes next on the way to an upgraded database, where nothing has to be repaired.
pub fn next_phase(phase: &str) -> Option<&'static str> {
    Kind::named(phase)?.next().map(Kind::name)
}

/// The states whose output has findings, in the order of the run.
const CHECKS: &[&str] = &["CheckInstance", "CheckDatabase"];

/// The states that ask a person, and the one that ends a question from outside.
const ENDS_QUESTION: &[&str] = &["AskRebootApproval", "AskApproval", "HoldCutover"];

/// Everything read so far.
#[derive(Debug, Clone, Default)]
pub struct History {
    last_id: i64,
    visits: Vec<Visit>,
    scheduled: u64,
    tasks: u64,
    load: Option<Load>,
    repairs: Vec<Value>,
    checks: BTreeMap<String, Value>,
    plan: Option<Value>,
    report: Option<Value>,
    gate: Option<Value>,
    warnings: Option<Vec<Value>>,
    waiting_for: Option<String>,
    question: Option<Value>,
}

impl History {
    /// Number of the last event that was read.
    pub fn last_id(&self) -> i64 {
        self.last_id
    }

    /// Read on. Events come in order; those that were read already are passed over.
    pub fn read(&mut self, event: &Event) {
        if event.id <= self.last_id {
            return;
        }
        self.last_id = event.id;
        match &event.what {
            What::Entered { state, is_task } => {
                self.tasks += u64::from(*is_task);
                self.visits.push(Visit { state: state.clone(), entered: event.at, left: None });
                self.waiting_for = None;
            }
            What::ExitedParallel(state) => {
                self.end_branches(state, event.at);
                if ENDS_QUESTION.contains(&state.as_str()) {
                    self.question = None;
                }
                self.waiting_for = None;
            }
            What::Exited(state, output) => {
                if let Some(visit) =
                    self.visits.iter_mut().rev().find(|visit| visit.state == *state && visit.left.is_none())
                {
                    visit.left = Some(event.at);
                }
                if state == "CopyData" {
                    self.load = find_progress(output).or(self.load);
                }
                if let Some(repairs) = output.pointer("/Payload/repairs").and_then(Value::as_array) {
                    self.repairs.clone_from(repairs);
                }
                if let Some(findings) = output.pointer("/Payload/findings") {
                    self.checks.insert(state.clone(), findings.clone());
                }
                if state == "PlanRun" {
                    self.plan = output.pointer("/Payload/plan").cloned();
                    // Of several copy engines the plan has chosen one, and the findings that concern it.
                    for (check, member) in CHECKS.iter().zip(["instance", "database"]) {
                        if let Some(findings) = output.pointer(&format!("/Payload/{member}")) {
                            self.checks.insert((*check).to_owned(), findings.clone());
                        }
                    }
                }
                if state == "GuardCutover" {
                    self.gate = output.get("Payload").cloned();
                }
                if state == "SettleTarget" {
                    self.warnings = output.pointer("/Payload/warnings/named").and_then(Value::as_array).cloned();
                }
                if state == "ReportRun" || state == "ReportWayBack" {
                    self.report = output.get("Payload").cloned();
                }
                if ENDS_QUESTION.contains(&state.as_str()) {
                    self.question = None;
                }
                self.waiting_for = None;
            }
            What::Scheduled(payload) => {
                self.scheduled += 1;
                if payload.get("token").is_some() {
                    self.question = Some(payload.clone());
                }
            }
            What::Failed(error, cause) => self.waiting_for = Some(words_of(error, cause)),
            What::Other => {}
        }
    }

    /// A Parallel ends all its branches, also those that an error of another one stopped where they were.
    fn end_branches(&mut self, parallel: &str, at: f64) {
        let open = |visit: &Visit| visit.left.is_none();
        let Some(place) = self.visits.iter().rposition(|visit| visit.state == parallel && open(visit)) else { return };
        self.visits[place..].iter_mut().filter(|visit| open(visit)).for_each(|visit| visit.left = Some(at));
    }

    /// The state that the machine is in, the innermost of a Parallel.
    pub fn state(&self) -> Option<&str> {
        self.visits
            .iter()
            .rev()
            .find(|visit| visit.left.is_none())
            .or(self.visits.last())
            .map(|visit| visit.state.as_str())
    }

    /// Every visit of a state in order.
    pub fn visits(&self) -> &[Visit] {
        &self.visits
    }

    /// The last visit of a state that was left.
    pub fn last_visit(&self, state: &str) -> Option<(f64, f64)> {
        self.visits
            .iter()
            .rev()
            .filter(|visit| visit.state == state)
            .find_map(|visit| Some((visit.entered, visit.left?)))
    }

    /// Whether a state was ever entered.
    pub fn has_entered(&self, state: &str) -> bool {
        self.visits.iter().any(|visit| visit.state == state)
    }

    /// How far the load is.
    pub fn load(&self) -> Option<Load> {
        self.load
    }

    /// What the run mended, as its last step that mends says.
    pub fn repairs(&self) -> &[Value] {
        &self.repairs
    }

    /// Why the current task is tried again.
    pub fn waiting_for(&self) -> Option<&str> {
        self.waiting_for.as_deref()
    }

    /// What was sent to the function that asks a person, while the answer is awaited. It contains the task token.
    pub fn question(&self) -> Option<&Value> {
        self.question.as_ref()
    }

    /// How long the run will still take, by its plan; none before there is a plan, and on the way back.
    pub fn remaining_seconds(&self, now: f64) -> Option<f64> {
        let current = self.phases(now).pop()?;
        let place = |name: &str| Kind::ALL.iter().position(|phase| phase.name() == name);
        let (here, rollback) = (place(&current.name)?, place(Kind::Rollback.name())?);
        let planned = self.plan.as_ref()?["phases"].as_array()?;
        let later = planned.iter().filter(|phase| {
            phase["name"].as_str().and_then(place).is_some_and(|place| place > here && place < rollback)
        });
        let rest = (self.expected_seconds(&current.name).unwrap_or_default() - current.seconds).max(0.0);
        (here < rollback).then(|| rest + later.filter_map(|phase| phase["seconds"].as_f64()).sum::<f64>())
    }

    /// State transitions as Step Functions bills them: each state entered, each retry.
    pub fn transitions(&self) -> u64 {
        self.visits.len() as u64 + self.scheduled.saturating_sub(self.tasks)
    }

    fn expected_seconds(&self, phase: &str) -> Option<f64> {
        let phases = self.plan.as_ref()?["phases"].as_array()?;
        phases.iter().find(|planned| planned["name"] == phase)?["seconds"].as_f64()
    }

    /// What was expected, as the run's plan says it.
    pub fn plan(&self) -> Option<&Value> {
        self.plan.as_ref()
    }

    /// What the steps that check have found, and what the plan adds to it.
    pub fn preflight(&self) -> Preflight {
        Preflight::gather(CHECKS.iter().filter_map(|state| self.checks.get(*state)), self.plan())
    }

    /// What stays unfinished on the target, as the run says it: `object`, `reason`, `statements`.
    pub fn warnings(&self) -> &[Value] {
        self.warnings.as_deref().unwrap_or_default()
    }

    /// What the run itself says that it took and cost.
    pub fn report(&self) -> Option<&Value> {
        self.report.as_ref()
    }

    /// What the gate decided and forecast before the cutover.
    pub fn gate(&self) -> Option<&Value> {
        self.gate.as_ref()
    }

    /// The phases in order, up to `end` for the last one.
    pub fn phases(&self, end: f64) -> Vec<Phase> {
        let mut phases: Vec<Phase> = Vec::new();
        for visit in &self.visits {
            let name = phase_of(&visit.state);
            if phases.last().is_some_and(|phase| phase.name == name) {
                continue;
            }
            if let Some(before) = phases.last_mut() {
                before.seconds = visit.entered - before.started_at;
            }
            let expected_seconds = self.expected_seconds(name);
            phases.push(Phase { name: name.to_owned(), started_at: visit.entered, seconds: 0.0, expected_seconds });
        }
        if let Some(last) = phases.last_mut() {
            last.seconds = end - last.started_at;
        }
        phases
    }
}

/// `progress` is in the step's payload or beside it, whatever the machine makes of its output.
fn find_progress(output: &Value) -> Option<Load> {
    let progress = [output.pointer("/Payload/progress"), output.pointer("/progress")].into_iter().flatten().next()?;
    let number = |name: &str| progress.get(name).and_then(Value::as_i64).unwrap_or_default();
    Some(Load {
        percent: number("percent"),
        loaded: number("tablesLoaded"),
        loading: number("tablesLoading"),
        queued: number("tablesQueued"),
        errored: number("tablesErrored"),
    })
}

/// A failed Lambda's cause is JSON with an `errorMessage`. `NotYet` is no failure, only a wait.
fn words_of(error: &str, cause: &str) -> String {
    let message = message_of(cause);
    if error == "NotYet" { message } else { format!("{error}: {message}") }
}

/// The message in a failed Lambda's cause; a cause of another kind is its own message.
pub fn message_of(cause: &str) -> String {
    serde_json::from_str::<Value>(cause)
        .ok()
        .and_then(|body| body.get("errorMessage")?.as_str().map(str::to_owned))
        .unwrap_or_else(|| cause.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn history(events: Vec<What>) -> History {
        let mut history = History::default();
        for (number, what) in events.into_iter().enumerate() {
            history.read(&Event { id: number as i64 + 1, at: number as f64, what });
        }
        history
    }

    fn entered(state: &str) -> What {
        What::Entered { state: state.to_owned(), is_task: true }
    }

    fn exited(state: &str) -> What {
        What::Exited(state.to_owned(), json!({}))
    }

    #[test]
    fn states_are_gathered_into_phases() {
        let history = history(vec![
            entered("StartRun"),
            exited("StartRun"),
            entered("CheckInstance"),
            exited("CheckInstance"),
            entered("CopyData"),
            exited("CopyData"),
            entered("LookSoon"),
            exited("LookSoon"),
            entered("CopyData"),
        ]);

        let phases: Vec<_> =
            history.phases(20.0).into_iter().map(|phase| (phase.name, phase.started_at, phase.seconds)).collect();

        assert_eq!(phases, [("preflight".to_owned(), 0.0, 4.0), ("load".to_owned(), 4.0, 16.0)]);
        assert_eq!(history.state(), Some("CopyData"));
        assert_eq!(next_phase("preflight"), Some("prepare the source"));
        assert_eq!(next_phase("finish"), None);
    }

    #[test]
    fn a_retry_is_a_transition_too_and_says_what_it_waits_for() {
        let not_yet =
            What::Failed("NotYet".to_owned(), json!({"errorMessage": "instance db is rebooting"}).to_string());
        let history =
            history(vec![entered("RebootSource"), What::Scheduled(json!({})), not_yet, What::Scheduled(json!({}))]);

        assert_eq!(history.transitions(), 2);
        assert_eq!(history.waiting_for(), Some("instance db is rebooting"));
    }

    #[test]
    fn a_question_is_open_until_its_state_is_left() {
        let asked = What::Scheduled(json!({"token": "t", "question": "cutover"}));
        let watched = What::Scheduled(json!({"held": true}));
        let mut events =
            vec![entered("HoldCutover"), entered("AskApproval"), asked, entered("WatchHeldCutover"), watched];
        assert_eq!(history(events.clone()).question().map(|question| &question["question"]), Some(&json!("cutover")));

        events.push(exited("AskApproval"));
        assert_eq!(history(events).question(), None);
    }

    #[test]
    fn what_remains_is_the_rest_of_the_phase_and_every_later_one() {
        let plan = json!({"Payload": {"plan": {"phases": [
            {"name": "preflight", "seconds": 60.0}, {"name": "load", "seconds": 100.0}, {"name": "cutover", "seconds": 5.0}]}}});
        let planned = |then: &str| {
            history(vec![entered("PlanRun"), What::Exited("PlanRun".to_owned(), plan.clone()), entered(then)])
        };

        assert_eq!(planned("CopyData").remaining_seconds(32.0), Some(75.0), "entered at 2, so 30 of 100 are over");
        assert_eq!(planned("CopyData").remaining_seconds(900.0), Some(5.0), "a load that takes longer than planned");
        assert_eq!(planned("UnfenceSource").remaining_seconds(32.0), None);
        assert_eq!(history(vec![entered("StartRun")]).remaining_seconds(1.0), None);
    }

    #[test]
    fn the_states_of_questions_are_the_machines() {
        let machine = contract_tests::Machine::read("upgrade").unwrap();
        for state in ENDS_QUESTION {
            assert!(machine.states().iter().any(|(name, _)| name == state), "{state}");
        }
    }

    #[test]
    fn the_innermost_open_state_of_a_parallel_is_shown() {
        let history =
            history(vec![entered("SwapAndDrain"), entered("SwapRecord"), entered("DrainSource"), exited("SwapRecord")]);

        assert_eq!(history.state(), Some("DrainSource"));
        assert_eq!(history.last_visit("SwapRecord"), Some((1.0, 3.0)));
        assert_eq!(history.last_visit("DrainSource"), None);
    }

    #[test]
    fn a_parallel_that_is_left_leaves_no_branch_open() {
        let history = history(vec![
            entered("AwaitProtection"),
            entered("AwaitBackups"),
            entered("WatchProtection"),
            What::ExitedParallel("AwaitProtection".to_owned()),
            entered("ReportRun"),
            exited("ReportRun"),
        ]);

        assert_eq!(history.state(), Some("ReportRun"));
        assert_eq!(history.last_visit("WatchProtection"), Some((2.0, 3.0)));
    }

    #[test]
    fn the_load_is_read_from_the_looks() {
        let output =
            json!({"Payload": {"done": false, "progress": {"percent": 40, "tablesLoaded": 3, "tablesQueued": 5}}});
        let history = history(vec![entered("CopyData"), What::Exited("CopyData".to_owned(), output)]);

        assert_eq!(history.load(), Some(Load { percent: 40, loaded: 3, queued: 5, ..Load::default() }));
    }

    #[test]
    fn repairs_are_those_of_the_last_step_that_tells_of_them() {
        let output = |repairs: Value| What::Exited("CopyData".to_owned(), json!({"Payload": {"repairs": repairs}}));
        let history = history(vec![
            entered("CopyData"),
            output(json!([])),
            entered("CopyData"),
            output(json!([{"kind": "slot-lost"}])),
            entered("RebuildTarget"),
            exited("RebuildTarget"),
        ]);

        assert_eq!(history.repairs(), [json!({"kind": "slot-lost"})]);
    }

    #[test]
    fn findings_are_gathered_from_both_checks_and_the_plan() {
        let finding =
            |check: &str, severity: &str| json!({"check": check, "severity": severity, "found": "", "remedy": ""});
        let found = |check: &str, severity: &str, blockers, warnings| {
            let findings =
                json!({"blockers": blockers, "warnings": warnings, "list": [finding(check, severity)], "text": ""});
            json!({"Payload": {"findings": findings}})
        };
        let chosen = |blockers, list: Value| json!({"blockers": blockers, "warnings": 1 - blockers, "list": list});
        let plan = json!({"Payload": {
            "plan": {"findings": {"blockers": 0, "warnings": 1, "list": [finding("long", "warning")]}, "notes": ["so it is"]},
            "instance": chosen(0, json!([finding("storage", "warning")])), "database": chosen(1, json!([finding("enum", "blocker")])),
        }});
        let history = history(vec![
            entered("CheckInstance"),
            What::Exited("CheckInstance".to_owned(), found("storage", "warning", 0, 1)),
            entered("CheckDatabase"),
            What::Exited("CheckDatabase".to_owned(), found("enum", "blocker", 1, 0)),
            entered("PlanRun"),
            What::Exited("PlanRun".to_owned(), plan),
        ]);

        let preflight = history.preflight();

        assert_eq!((preflight.blockers, preflight.warnings), (1, 2));
        let checks: Vec<_> = preflight.findings.iter().map(|finding| finding.check.as_str()).collect();
        assert_eq!((checks, preflight.notes), (vec!["enum", "storage", "long"], vec!["so it is".to_owned()]));
    }

    #[test]
    fn every_state_with_findings_is_one_of_the_machines() {
        let machine = contract_tests::Machine::read("upgrade").unwrap();
        for state in CHECKS {
            assert!(machine.states().iter().any(|(name, _)| name == state), "{state}");
        }
    }

    #[test]
    fn events_are_read_once() {
        let mut history = history(vec![entered("StartRun")]);
        history.read(&Event { id: 1, at: 5.0, what: entered("StartRun") });

        assert_eq!(history.visits().len(), 1);
    }

    #[test]
    fn every_state_of_the_machine_has_a_phase() {
        let machine = contract_tests::Machine::read("upgrade").unwrap();
        for (state, _) in machine.states() {
            assert_eq!(machine.phase_of(&state).map(contract_tests::Phase::name), Some(phase_of(&state)), "{state}");
        }
    }
}
