//! What a history says that a run took. Pure: events go in, figures come out.

use std::collections::{HashMap, HashSet};

use pgleap_contract::steps::STEPS;
use pgleap_executions::{Event, What};

/// Of a function that is no step's.
const USUAL_MEGABYTES: u32 = 256;
/// The target is there from here on.
const MAKES_TARGET: &str = "RestoreTarget";
/// The replication instance from here ..
const MAKES_REPLICATION: &str = "PrepareReplication";
/// .. until one of these is over.
const REMOVES_REPLICATION: &[&str] = &["FinishRemoveReplication", "RemoveReplication"];

/// Everything that was counted so far.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Tally {
    entered: u64,
    retries: u64,
    /// Task states that were entered and whose task is not scheduled yet: the history may end there.
    fresh: HashSet<i64>,
    calls: u64,
    seconds: f64,
    gigabyte_seconds: f64,
    /// Function and beginning of calls that are under way, by the event that whatever comes next of them names.
    under_way: HashMap<i64, (String, f64)>,
    target_since: Option<f64>,
    replication: Option<(f64, Option<f64>)>,
}

impl Tally {
    /// Events in the order of the history.
    pub(crate) fn take(&mut self, event: Event) {
        match event.what {
            What::Entered { state, is_task } => {
                self.entered += 1;
                if is_task {
                    self.fresh.insert(event.id);
                }
                if state == MAKES_TARGET {
                    self.target_since.get_or_insert(event.at);
                }
                if state == MAKES_REPLICATION {
                    self.replication.get_or_insert((event.at, None));
                }
            }
            What::Exited(state) => {
                if let (Some((_, until)), true) = (&mut self.replication, REMOVES_REPLICATION.contains(&state.as_str()))
                {
                    *until = Some(event.at);
                }
            }
            What::Scheduled(function) => {
                self.retries += u64::from(!self.fresh.remove(&event.previous));
                if let Some(function) = function {
                    self.calls += 1;
                    self.under_way.insert(event.id, (function, event.at));
                }
            }
            What::Began => {
                if let Some((function, _)) = self.under_way.remove(&event.previous) {
                    self.under_way.insert(event.id, (function, event.at));
                }
            }
            What::Ended => {
                if let Some((function, began)) = self.under_way.remove(&event.previous) {
                    let seconds = (event.at - began).max(0.0);
                    self.seconds += seconds;
                    self.gigabyte_seconds += seconds * f64::from(memory_of(&function)) / 1_024.0;
                }
            }
            What::Other => {}
        }
    }

    /// Each state entered, each retry: as Step Functions bills.
    pub(crate) fn transitions(&self) -> u64 {
        self.entered + self.retries
    }

    pub(crate) fn invocations(&self) -> u64 {
        self.calls
    }

    pub(crate) fn function_seconds(&self) -> f64 {
        self.seconds
    }

    pub(crate) fn gigabyte_seconds(&self) -> f64 {
        self.gigabyte_seconds
    }

    pub(crate) fn target_seconds(&self, now: f64) -> f64 {
        self.target_since.map_or(0.0, |since| (now - since).max(0.0))
    }

    pub(crate) fn replication_seconds(&self, now: f64) -> f64 {
        self.replication.map_or(0.0, |(since, until)| (until.unwrap_or(now) - since).max(0.0))
    }
}

/// By the step that a function's ARN, `..:function:<stack>-<step>:<version>`, ends with.
fn memory_of(function: &str) -> u32 {
    let is =
        |step: &str| function.split(':').any(|part| part.strip_suffix(step).is_some_and(|rest| rest.ends_with('-')));
    STEPS.iter().find(|step| is(step.name)).map_or(USUAL_MEGABYTES, |step| step.memory_megabytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(events: Vec<(i64, f64, What)>) -> Tally {
        let mut tally = Tally::default();
        for (id, (previous, at, what)) in (1..).zip(events) {
            tally.take(Event { id, previous, at, what });
        }
        tally
    }

    fn entered(state: &str) -> What {
        What::Entered { state: state.to_owned(), is_task: true }
    }

    fn call(step: &str) -> What {
        What::Scheduled(Some(format!("arn:aws:lambda:eu-west-1:111122223333:function:pgleap-{step}:7")))
    }

    #[test]
    fn transitions_are_states_and_retries_and_seconds_are_those_between_begin_and_end() {
        let tally = tally(vec![
            (0, 0.0, entered("CopyData")),
            (1, 0.0, call("copy-data")),
            (2, 1.0, What::Began),
            (3, 3.0, What::Ended), // failed: tried again
            (4, 5.0, call("copy-data")),
            (5, 5.0, What::Began),
            (6, 6.0, What::Ended),
            (7, 6.0, What::Entered { state: "IsDataCopied".to_owned(), is_task: false }),
            (8, 6.0, entered("ReportRun")), // and nobody has heard of its task yet
        ]);

        assert_eq!((tally.transitions(), tally.invocations()), (4, 2));
        assert_eq!((tally.function_seconds(), tally.gigabyte_seconds()), (3.0, 0.75));
    }

    #[test]
    fn branches_are_told_apart_by_what_led_to_an_event() {
        let tally = tally(vec![
            (0, 0.0, call("swap-record")),
            (0, 0.0, call("drain-source")),
            (2, 0.0, What::Began),
            (1, 0.0, What::Began),
            (4, 2.0, What::Ended),
            (3, 4.0, What::Ended),
        ]);

        assert_eq!((tally.function_seconds(), tally.gigabyte_seconds()), (6.0, 2.0 / 8.0 + 4.0 / 4.0));
    }

    #[test]
    fn hours_run_from_what_makes_a_thing_to_what_removes_it() {
        let mut tally = tally(vec![
            (0, 10.0, entered("RestoreTarget")),
            (1, 30.0, entered("PrepareReplication")),
            (2, 40.0, entered("PrepareReplication")),
        ]);
        assert_eq!((tally.target_seconds(100.0), tally.replication_seconds(100.0)), (90.0, 70.0));

        tally.take(Event { id: 4, previous: 3, at: 80.0, what: What::Exited("FinishRemoveReplication".to_owned()) });

        assert_eq!((tally.target_seconds(100.0), tally.replication_seconds(100.0)), (90.0, 50.0));
    }

    #[test]
    fn a_function_is_known_by_its_step() {
        for (function, megabytes) in [
            ("arn:aws:lambda:eu-west-1:1:function:orders-swap-record:3", 128),
            ("arn:aws:lambda:eu-west-1:1:function:orders-drain-source", 256),
            ("pgleap-plan-run", 128),
            ("somebody-elses", 256),
        ] {
            assert_eq!(memory_of(function), megabytes, "{function}");
        }
    }
}
