//! An execution that fails back, from its start until it and its recoveries are at rest; and once more where a disturbance kept
//! it from leading back.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use local_aws_lambda::{Held, Plan, What};
use serde_json::json;
use tokio::sync::mpsc;

use super::{Back, FailBackReport, Scene, disturbances};
use crate::clients::now;
use crate::fail_back::report::Attempt;
use crate::observer::{DrainWatch, FenceWatch};
use crate::place::{FAIL_BACK, Place};
use crate::rest::Rest;
use crate::scenario::Armed;
use crate::screen::Screen;
use crate::stage::SOURCE;
use pgleap_cli::follow::{Execution, Standing};
use pgleap_cli::history::message_of;

/// A disturbance strikes one attempt; the next one must succeed.
const MOST: usize = 2;
/// A watch of privileges looks more often than this.
const UNTIL_SEEN: Duration = Duration::from_secs(1);
/// Clients of a server that serves write again within this time, whatever they waited for.
const UNTIL_WRITTEN: Duration = Duration::from_secs(20);
/// Longest wait for an execution that is refused.
const LONGEST_REFUSAL: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_millis(100);

/// What watches one attempt.
struct Watches {
    since: f64,
    fence: FenceWatch,
    drain: DrainWatch,
}

impl Scene<'_> {
    /// Fail back, again if a disturbance kept the first attempt from it; `None` if nothing led back.
    pub(super) async fn fail_back(
        &self,
        accepted: &[String],
        screen: &mut Screen,
        report: &mut FailBackReport,
    ) -> Result<(Option<Back>, Vec<Armed>)> {
        // The upgrade's watch has seen what it is for, and two that look closely would slow the clients down.
        self.show.fence.look_closely(false);
        let armed = Armed::all(&disturbances(&self.arguments.disturbances).0, self.means);
        let most = if armed.is_empty() { 1 } else { MOST };
        for _ in 0..most {
            let watches = self.watch().await?;
            let mut execution = self.start(accepted).await?;
            let standing = self.show.follow(&mut execution, &watches.fence, screen).await?;
            let mut attempt = told(&standing);
            let rest =
                Rest { means: self.means, armed: &armed, execution: execution.arn(), is_of_fail_back: true, screen };
            attempt.recoveries = rest.reach(standing.status.as_str()).await?.recoveries;
            tokio::time::sleep(UNTIL_SEEN).await;
            let fence = watches.fence.times();
            attempt.led_back = fence.opened.is_some();
            attempt.broken = not_at_rest(&attempt, armed.is_empty());
            if attempt.led_back {
                screen.say("everybody is on the old server again");
                report.attempts.push(attempt);
                let drain = watches.drain.finish().await?;
                let back = Back { since: watches.since, fence, drain, history: execution.history };
                return Ok((Some(back), armed));
            }
            attempt.broken.extend(self.broken_where_it_stays().await?);
            screen.say(format!("failing back ended with {}: {:?}", attempt.status, attempt.error));
            report.attempts.push(attempt);
        }
        Ok((None, armed))
    }

    /// As the upgrade is watched, with both sides exchanged.
    async fn watch(&self) -> Result<Watches> {
        let access = |instance: &str| self.show.stage.access(instance);
        let (new, old) = (access(&self.show.target_instance), access(SOURCE));
        let (holder, openings) = mpsc::unbounded_channel::<Held>();
        let drain = DrainWatch::start(new.clone(), old.clone(), self.arguments.from, openings).await?;
        let place = Place::State { machine: FAIL_BACK.to_owned(), state: "OpenTarget".to_owned() };
        let opening = Plan { places: place.calls(), first: 1, last: Some(1), what: What::Hold(holder) };
        self.show.stage.aws().lambda().plan(opening);
        let fence = FenceWatch::start(new, old, self.show.watched_role.to_owned());
        Ok(Watches { since: now(), fence, drain })
    }

    /// The new server serves as before, and the path is open, so that a later attempt can succeed.
    async fn broken_where_it_stays(&self) -> Result<Vec<String>> {
        let mut broken = Vec::new();
        let path = format!("pgleap-{}-fail-back", self.run_id);
        if !self.show.stage.aws().scheduler().names().contains(&path) {
            broken.push("the fail-back path was closed by an attempt that failed".to_owned());
        }
        let (began, acknowledged) = (Instant::now(), self.show.clients.acknowledged());
        while self.show.clients.acknowledged() == acknowledged {
            if began.elapsed() > UNTIL_WRITTEN {
                broken.push("no client could write after an attempt that failed".to_owned());
                break;
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(broken)
    }

    /// Start the machine that fails back, as docs/cutover-day.md says.
    pub(super) async fn start(&self, accepted: &[String]) -> Result<Execution> {
        let mut input = json!({ "runId": self.run_id });
        if !accepted.is_empty() {
            input["accept"] = json!(accepted);
        }
        let states = &self.means.states;
        let start = states.start_execution().state_machine_arn(&self.means.fail_back_machine);
        let started = start.input(input.to_string()).send().await.context("start failing back")?;
        Ok(Execution::new(states.clone(), started.execution_arn()))
    }

    /// Wait until an execution that is to be refused is over, and its recovery with it.
    pub(super) async fn end(&self, mut execution: Execution, screen: &Screen) -> Result<Attempt> {
        let began = Instant::now();
        loop {
            let standing = execution.read().await?;
            if standing.is_over() {
                let (means, arn) = (self.means, execution.arn());
                let rest = Rest { means, armed: &[], execution: arn, is_of_fail_back: true, screen };
                let rested = rest.reach(standing.status.as_str()).await?;
                return Ok(Attempt { recoveries: rested.recoveries, ..told(&standing) });
            }
            ensure!(began.elapsed() < LONGEST_REFUSAL, "failing back is not refused");
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// Nothing but a disturbance may end an attempt, and then a recovery brings it to rest.
fn not_at_rest(attempt: &Attempt, undisturbed: bool) -> Vec<String> {
    let (status, error) = (&attempt.status, attempt.error.as_deref().unwrap_or_default());
    let is_well = status == "SUCCEEDED" || attempt.recoveries.last().is_some_and(|last| last == "SUCCEEDED");
    match () {
        () if undisturbed && status != "SUCCEEDED" => vec![format!("failing back ended with {status} {error}")],
        () if !is_well => vec![format!("the recoveries of failing back ended with {:?}", attempt.recoveries)],
        () => Vec::new(),
    }
}

fn told(standing: &Standing) -> Attempt {
    Attempt {
        status: standing.status.as_str().to_owned(),
        error: standing.error.clone(),
        cause: standing.cause.as_deref().map(message_of),
        seconds: standing.seconds,
        ..Attempt::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_disturbance_excuses_an_attempt_that_failed_and_only_if_it_was_recovered() {
        let attempt = |status: &str, recoveries: &[&str]| Attempt {
            status: status.to_owned(),
            recoveries: recoveries.iter().map(|status| (*status).to_owned()).collect(),
            ..Attempt::default()
        };
        let broken =
            |status, recoveries: &[&str], undisturbed| not_at_rest(&attempt(status, recoveries), undisturbed).len();

        assert_eq!(broken("SUCCEEDED", &[], true), 0);
        assert_eq!(broken("FAILED", &["SUCCEEDED"], true), 1);
        assert_eq!(broken("FAILED", &["FAILED", "SUCCEEDED"], false), 0);
        assert_eq!(broken("ABORTED", &[], false), 1);
    }
}
