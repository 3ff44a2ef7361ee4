//! Nobody fails back any more: the path is closed by its schedule or by a person, and everything is cleaned up.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::Scene;
use super::report::{Checks, FailBackReport};
use crate::rest::inputs_of;
use crate::scenario::Means;
use crate::screen::Screen;

const LOOK: Duration = Duration::from_millis(500);
/// Beyond the time for which the path is kept: recoveries try again for minutes.
const LONGEST_CLOSING: Duration = Duration::from_secs(180);
/// Between two lines of progress.
const LINE_EVERY: Duration = Duration::from_secs(20);

impl Scene<'_> {
    /// Close the path as a person does who no longer needs it.
    pub(super) async fn close(&self, screen: &Screen) -> Result<()> {
        screen.say("closing the fail-back path, as a person would");
        let input = json!({ "executionArn": self.means.execution, "reason": "closing" }).to_string();
        let start = self.means.states.start_execution().state_machine_arn(&self.means.recover_machine);
        start.input(input).send().await.context("close the fail-back path")?;
        Ok(())
    }

    /// Wait until the recovery that closes the path, and the last check, are over.
    pub(super) async fn await_closed(&self, screen: &Screen, report: &mut FailBackReport) -> Result<()> {
        let began = Instant::now();
        let mut said = Instant::now();
        loop {
            let (closings, checks) = (closings(self.means).await?, checks(self.means).await?);
            let (started, running) =
                (checks.values().sum::<usize>(), checks.get("RUNNING").copied().unwrap_or_default());
            if said.elapsed() > LINE_EVERY {
                said = Instant::now();
                screen.say(format!(
                    "{started} checks of the fail-back path after {:.0} s",
                    began.elapsed().as_secs_f64()
                ));
            }
            let is_closed = !closings.is_empty() && closings.iter().all(|status| status != "RUNNING");
            if is_closed && running == 0 {
                let failed = checks.iter().filter(|(status, _)| *status != "SUCCEEDED");
                let failed = failed.flat_map(|(status, count)| std::iter::repeat_n(status.clone(), *count)).collect();
                (report.checks, report.closings) = (Some(Checks { started, failed }), closings);
                return Ok(());
            }
            if began.elapsed() > self.kept + LONGEST_CLOSING {
                bail!("the fail-back path is not closed: recoveries {closings:?}, checks {checks:?}");
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// How the recoveries stand that close the path.
async fn closings(means: &Means) -> Result<Vec<String>> {
    let all = inputs_of(&means.states, &means.recover_machine).await?;
    let closes = |input: &Value| input["reason"] == "closing";
    Ok(all.into_iter().filter(|(_, input)| closes(input)).map(|(status, _)| status).collect())
}

/// How many checks of the path stand in which way.
async fn checks(means: &Means) -> Result<BTreeMap<String, usize>> {
    let mut pages = means.states.list_executions().state_machine_arn(&means.watch_machine).into_paginator().send();
    let mut checks = BTreeMap::new();
    while let Some(page) = pages.next().await {
        for one in page.context("list checks of the fail-back path")?.executions() {
            *checks.entry(one.status().as_str().to_owned()).or_default() += 1;
        }
    }
    Ok(checks)
}
