//! Until a run is at rest: the recoveries end, calls that were frozen have gone on, and a person does what is his.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::json;

use crate::report::Report;
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
    pub(crate) screen: &'a Screen,
}

impl Rest<'_> {
    /// Wait for it. `status` is the run's own end.
    pub(crate) async fn reach(&self, status: &str, report: &mut Report) -> Result<()> {
        let for_good = self.armed.iter().any(|armed| armed.disturbance.is_for_good());
        if status != "SUCCEEDED" {
            let patience = if for_good { UNTIL_MENDED } else { LONGEST_RECOVERY };
            self.await_recoveries(patience, report).await?;
        }
        for armed in self.armed {
            armed.settled().await;
            armed.mend(self.means).await.context("mend what was planned")?;
        }
        let disturbs_recovery =
            |armed: &Armed| armed.disturbance.place().is_some_and(|place| place.to_string().contains('/'));
        let needs_person = for_good || self.armed.iter().any(disturbs_recovery);
        if status != "SUCCEEDED" {
            // One that was only slowed down by what is mended now ends by itself.
            self.await_recoveries(LONGEST_RECOVERY, report).await?;
            if needs_person && report.recoveries.last().is_none_or(|status| status != "SUCCEEDED") {
                self.screen.say("starting the recovery by hand, as a person would");
                report.called_person = true;
                self.start_recovery().await?;
                self.await_recoveries(LONGEST_RECOVERY, report).await?;
            }
        }
        Ok(())
    }

    async fn await_recoveries(&self, patience: Duration, report: &mut Report) -> Result<()> {
        let began = Instant::now();
        loop {
            let listed = self.means.states.list_executions().state_machine_arn(&self.means.recover_machine);
            let listed = listed.send().await.context("list recoveries")?;
            let mut all: Vec<_> = listed.executions().iter().collect();
            all.sort_by_key(|one| (one.start_date().secs(), one.start_date().subsec_nanos()));
            let statuses: Vec<String> = all.iter().map(|one| one.status().as_str().to_owned()).collect();
            self.screen.doing(&format!("recovery: {}", statuses.join(", ")));
            let over = match statuses.is_empty() {
                true => began.elapsed() > UNTIL_STARTED && patience != LONGEST_RECOVERY,
                false => statuses.iter().all(|status| status != "RUNNING"),
            };
            report.recoveries = statuses;
            if over || began.elapsed() > patience {
                return Ok(());
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// As `docs/cutover-day.md` says.
    async fn start_recovery(&self) -> Result<()> {
        let input = json!({"executionArn": self.execution, "reason": "operator"}).to_string();
        let start = self.means.states.start_execution().state_machine_arn(&self.means.recover_machine);
        start.input(input).send().await.context("start the recovery by hand")?;
        Ok(())
    }
}
