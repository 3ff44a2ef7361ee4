//! Until a run is at rest: the recoveries end, calls that were frozen have gone on, and a person does what is his.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::place::Place;
use crate::scenario::{Armed, Means};
use crate::screen::Screen;

const LOOK: Duration = Duration::from_millis(250);
/// Longest wait for the machine that recovers, once the first has ended badly.
const LONGEST_RECOVERY: Duration = Duration::from_secs(120);
/// What lasts for good is mended so long after the run has ended: the recovery has met it several times by then.
const UNTIL_MENDED: Duration = Duration::from_secs(6);
/// The rule on executions that ended badly starts the recovery within this time.
const UNTIL_STARTED: Duration = Duration::from_secs(5);

/// What it takes.
pub(crate) struct Rest<'a> {
    pub(crate) means: &'a Means,
    pub(crate) armed: &'a [Armed],
    pub(crate) execution: &'a str,
    /// The execution fails back.
    pub(crate) is_of_fail_back: bool,
    pub(crate) screen: &'a Screen,
}

/// How it was reached.
#[derive(Debug, Default)]
pub(crate) struct Rested {
    /// How each recovery ended that the execution took, in order.
    pub(crate) recoveries: Vec<String>,
    /// A person had to mend something, or to start the recovery by hand.
    pub(crate) called_person: bool,
}

impl Rest<'_> {
    /// Wait for it. `status` is the execution's own end.
    pub(crate) async fn reach(&self, status: &str) -> Result<Rested> {
        let for_good = self.armed.iter().any(|armed| armed.disturbance.is_for_good());
        let mut rested = Rested::default();
        if status != "SUCCEEDED" {
            let patience = if for_good { UNTIL_MENDED } else { LONGEST_RECOVERY };
            rested.recoveries = self.await_recoveries(patience).await?;
        }
        for armed in self.armed {
            armed.settled().await;
            armed.mend(self.means).await.context("mend what was planned")?;
        }
        let disturbs_recovery = |armed: &Armed| armed.disturbance.place().is_some_and(Place::is_of_recovery);
        let needs_person = for_good || self.armed.iter().any(disturbs_recovery);
        if status != "SUCCEEDED" {
            // One that was only slowed down by what is mended now ends by itself.
            rested.recoveries = self.await_recoveries(LONGEST_RECOVERY).await?;
            if needs_person && rested.recoveries.last().is_none_or(|status| status != "SUCCEEDED") {
                self.screen.say("starting the recovery by hand, as a person would");
                rested.called_person = true;
                self.start_recovery().await?;
                rested.recoveries = self.await_recoveries(LONGEST_RECOVERY).await?;
            }
        }
        Ok(rested)
    }

    async fn await_recoveries(&self, patience: Duration) -> Result<Vec<String>> {
        let began = Instant::now();
        loop {
            let statuses = self.recoveries().await?;
            self.screen.doing(&format!("recovery: {}", statuses.join(", ")));
            let over = match statuses.is_empty() {
                true => began.elapsed() > UNTIL_STARTED && patience != LONGEST_RECOVERY,
                false => statuses.iter().all(|status| status != "RUNNING"),
            };
            if over || began.elapsed() > patience {
                return Ok(statuses);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// How those stand that were started for this execution.
    async fn recoveries(&self) -> Result<Vec<String>> {
        let all = inputs_of(&self.means.states, &self.means.recover_machine).await?;
        let is_own =
            |input: &Value| input["executionArn"] == self.execution || input["run"]["executionArn"] == self.execution;
        Ok(all.into_iter().filter(|(_, input)| is_own(input)).map(|(status, _)| status).collect())
    }

    /// As `docs/cutover-day.md` says.
    async fn start_recovery(&self) -> Result<()> {
        let mut input = json!({"executionArn": self.execution, "reason": "operator"});
        if self.is_of_fail_back {
            input["failBack"] = json!(true);
        }
        let start = self.means.states.start_execution().state_machine_arn(&self.means.recover_machine);
        start.input(input.to_string()).send().await.context("start the recovery by hand")?;
        Ok(())
    }
}

/// Status and input of each execution of a machine, in the order in which they were started.
pub(crate) async fn inputs_of(states: &aws_sdk_sfn::Client, machine: &str) -> Result<Vec<(String, Value)>> {
    let listed = states.list_executions().state_machine_arn(machine).send().await.context("list executions")?;
    let mut all: Vec<_> = listed.executions().iter().collect();
    all.sort_by_key(|one| (one.start_date().secs(), one.start_date().subsec_nanos()));
    let mut found = Vec::new();
    for one in all {
        let seen = states.describe_execution().execution_arn(one.execution_arn()).send().await;
        let input = seen.context("describe an execution")?.input().map(serde_json::from_str).transpose();
        found.push((one.status().as_str().to_owned(), input.context("read an input")?.unwrap_or(Value::Null)));
    }
    Ok(found)
}
