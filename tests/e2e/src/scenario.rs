//! Planned disturbances: done at the moment when a step begins, and judged by what was promised for that moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use local_aws_lambda::{KillPlan, KillWhen, LambdaHost, Progress};
use tokio::task::JoinHandle;

use crate::cli::Disturbance;
use crate::observer::{Access, connect};
use crate::person::Person;

/// From the beginning of a step to the stop of its execution.
const INTO_THE_STEP: Duration = Duration::from_millis(15);
/// Steps between the fence and the point of no return.
const CUTOVER: &[&str] = &["fence-source", "swap-record", "drain-source", "complete-target", "open-target"];
/// Steps after it.
const AFTER_OPEN: &[&str] = &["confirm-cutover", "settle-target"];
/// What is added to, or taken from, the source; both name the table so that the run's words can be searched for it.
const DDL: (&str, &str) = ("stock", "ALTER TABLE shop.stock ADD COLUMN added_by_somebody int");
const TRUNCATE: (&str, &str) = ("rates", "TRUNCATE shop.rates");
/// A column of this name is the disturbance's own and no difference that the run made.
pub const ADDED_COLUMN: &str = "added_by_somebody";

/// What a run promises when it is disturbed so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Promise {
    /// It ends well all the same.
    Completes,
    /// The source serves again, as before.
    GoesBack,
    /// The source serves again at the deadline; the rest of the way back is left to a person.
    ServesAtDeadline,
    /// One of the two, and nothing between.
    EitherWay,
    /// It stops before the fence with this error, whose cause has this word.
    StopsWith(&'static str, &'static str),
}

impl Promise {
    /// For a disturbance.
    pub fn of(disturbance: &Disturbance) -> Self {
        let step = disturbance.step();
        match disturbance {
            Disturbance::Kill { .. } | Disturbance::Lose { .. } if CUTOVER.contains(&step) => Promise::EitherWay,
            Disturbance::Kill { .. } | Disturbance::Lose { .. } => Promise::Completes,
            Disturbance::StopExecution { .. } if AFTER_OPEN.contains(&step) => Promise::Completes,
            Disturbance::StopExecution { .. } if step == "open-target" => Promise::EitherWay,
            Disturbance::StopExecution { .. } => Promise::GoesBack,
            Disturbance::Leave { .. } => Promise::ServesAtDeadline,
            Disturbance::Ddl { .. } => Promise::StopsWith("SourceChanged", DDL.0),
            Disturbance::Truncate { .. } => Promise::StopsWith("SourceChanged", TRUNCATE.0),
            Disturbance::Answer(answers) => {
                answers.ends_with().map_or(Promise::Completes, |(error, word)| Promise::StopsWith(error, word))
            }
        }
    }

    /// In words.
    pub fn words(self) -> String {
        match self {
            Promise::Completes => "the run ends well all the same".to_owned(),
            Promise::GoesBack => "the source serves again as before".to_owned(),
            Promise::ServesAtDeadline => "the source serves again at most 5 s after the deadline".to_owned(),
            Promise::EitherWay => "the run ends well, or the source serves again as before".to_owned(),
            Promise::StopsWith(error, word) => {
                format!("the run stops before the fence with {error} and names {word}")
            }
        }
    }
}

/// A disturbance that waits for its moment.
pub struct Armed {
    done: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

/// What a disturbance needs.
pub struct Means {
    /// The functions.
    pub lambda: LambdaHost,
    /// The source's database.
    pub source: Access,
    /// Step Functions.
    pub states: aws_sdk_sfn::Client,
    /// The execution.
    pub execution: String,
    /// Who is asked.
    pub person: Person,
}

impl Armed {
    /// Wait for the moment in the background.
    pub fn arm(disturbance: Disturbance, means: Means) -> Self {
        let done = Arc::new(AtomicBool::new(false));
        let mut invocations = means.lambda.on_invoke();
        let suffix = format!("-{}", disturbance.step());
        let warm_ups = warm_ups(disturbance.step());
        if let Some((invocation, when)) = kill_of(&disturbance) {
            let functions = means.lambda.functions();
            for function in functions.into_iter().filter(|name| name.ends_with(&suffix)) {
                means.lambda.plan_kill(KillPlan { function, invocation: invocation + warm_ups, when });
            }
        }
        let told = Arc::clone(&done);
        if let Disturbance::Answer(answers) = disturbance {
            let task = tokio::spawn(async move {
                match means.person.answer(answers).await {
                    Ok(()) => told.store(true, Ordering::Release),
                    Err(error) => tracing::error!(error = format!("{error:#}"), "the person could not answer"),
                }
            });
            return Self { done, task };
        }
        let task = tokio::spawn(async move {
            let mut to_pass = if kill_of(&disturbance).is_some() { 0 } else { warm_ups };
            while let Ok(progress) = invocations.recv().await {
                if !is_the_moment(&disturbance, &progress, &suffix) {
                    continue;
                }
                if to_pass > 0 {
                    to_pass -= 1;
                    continue;
                }
                match disturb(&disturbance, &means).await {
                    Ok(()) => told.store(true, Ordering::Release),
                    Err(error) => tracing::error!(error = format!("{error:#}"), "the disturbance failed"),
                }
                return;
            }
        });
        Self { done, task }
    }

    /// Whether it happened.
    pub fn happened(&self) -> bool {
        self.done.load(Ordering::Acquire)
    }
}

impl Drop for Armed {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Calls of a step that only start its process, before the one that works.
fn warm_ups(step: &str) -> u64 {
    contract_tests::Machine::read("upgrade").map_or(0, |machine| machine.warm_ups(step) as u64)
}

/// Which call of the function the host is to kill, and when in it.
fn kill_of(disturbance: &Disturbance) -> Option<(u64, KillWhen)> {
    match disturbance {
        Disturbance::Kill { invocation, milliseconds, .. } => {
            Some((*invocation, KillWhen::After(Duration::from_millis(*milliseconds))))
        }
        Disturbance::Lose { invocation, .. } => Some((*invocation, KillWhen::Answered)),
        _ => None,
    }
}

/// The step begins; a kill, which the host carries out, has happened when the step ended by it.
fn is_the_moment(disturbance: &Disturbance, progress: &Progress, suffix: &str) -> bool {
    match (kill_of(disturbance), progress) {
        (Some(_), Progress::Ended { function, outcome, .. }) => {
            function.ends_with(suffix) && outcome == "Runtime.ExitError"
        }
        (None, Progress::Started { function, .. }) => function.ends_with(suffix),
        (Some(_), Progress::Started { .. }) | (None, Progress::Ended { .. }) => false,
    }
}

async fn disturb(disturbance: &Disturbance, means: &Means) -> Result<()> {
    match disturbance {
        Disturbance::Kill { .. } | Disturbance::Lose { .. } => Ok(()), // the host does it
        Disturbance::StopExecution { .. } | Disturbance::Leave { .. } => {
            tokio::time::sleep(INTO_THE_STEP).await;
            let stop = means.states.stop_execution().execution_arn(&means.execution);
            stop.error("Stopped").cause("by the rehearsal").send().await.context("stop the execution")?;
            Ok(())
        }
        Disturbance::Ddl { .. } => on_source(means, DDL.1).await,
        Disturbance::Truncate { .. } => on_source(means, TRUNCATE.1).await,
        Disturbance::Answer(_) => Ok(()), // the person does it
    }
}

async fn on_source(means: &Means, sql: &str) -> Result<()> {
    connect(&means.source).await?.batch_execute(sql).await.with_context(|| format!("run {sql}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_promised_depends_on_the_side_of_the_point_of_no_return() {
        let cases = [
            ("kill:copy-data:2", Promise::Completes),
            ("kill:drain-source", Promise::EitherWay),
            ("kill:settle-target", Promise::Completes),
            ("lose:open-target", Promise::EitherWay),
            ("lose:restore-target", Promise::Completes),
            ("stop-execution:copy-data", Promise::GoesBack),
            ("stop-execution:fence-source", Promise::GoesBack),
            ("stop-execution:open-target", Promise::EitherWay),
            ("stop-execution:confirm-cutover", Promise::Completes),
            ("leave:drain-source", Promise::ServesAtDeadline),
            ("ddl:copy-data", Promise::StopsWith("SourceChanged", "stock")),
            ("truncate:copy-data", Promise::StopsWith("SourceChanged", "rates")),
            ("approve", Promise::Completes),
            ("reject", Promise::StopsWith("NotApproved", "not now")),
        ];
        for (text, expected) in cases {
            assert_eq!(Promise::of(&text.parse().unwrap()), expected, "{text}");
        }
    }
}
