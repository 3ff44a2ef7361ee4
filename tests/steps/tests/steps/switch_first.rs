//! The record changes before the fence: the target is shut, the source's sessions are watched, and nothing but a rollback
//! follows from a failure.

use std::time::Duration;

use anyhow::Result;
use pgleap_contract::steps::{NoOutput, SessionsBefore, WatchClientsInput};
use pgleap_contract::{ErrorCode, ExpectedOutage, Forecast, Outcome};
use pgleap_pg::Session;
use pgleap_step_kit::{Polled, StepError, StepResult};
use step_tests::{OWNER, cutover_in, wait_for};

use crate::late_calls::Armed;

impl Armed {
    async fn shut_target(&self) -> StepResult<SessionsBefore> {
        shut_target::run(self.world.as_step("shut-target"), self.under_fence()).await
    }

    async fn watch(&self, before: SessionsBefore, record_milliseconds: f64) -> StepResult<Polled<NoOutput>> {
        let outage = |milliseconds: f64| ExpectedOutage { milliseconds, at_most_milliseconds: milliseconds };
        let forecast = Forecast {
            connected: outage(1_000.0),
            new: outage(record_milliseconds),
            steps: outage(1_000.0),
            record: outage(record_milliseconds),
            parts: vec![],
        };
        let (run, source) = (self.world.run.clone(), self.world.source.clone());
        let input = WatchClientsInput { run, source, cutover: cutover_in(60), before, forecast };
        watch_clients::run(self.world.as_step("watch-clients"), input).await
    }

    async fn applications(&self, count: usize) -> Result<Vec<Session>> {
        let mut sessions = Vec::new();
        for _session in 0..count {
            sessions.push(self.world.session(&self.world.source, "app", "app-password").await?);
        }
        Ok(sessions)
    }
}

#[tokio::test]
async fn the_target_is_shut_while_the_source_serves_and_a_rollback_needs_no_more() -> Result<()> {
    let armed = Armed::start(16).await?;
    let session = armed.applications(1).await?.remove(0);

    let before = armed.shut_target().await?;
    assert_eq!(armed.shut_target().await?.sessions, before.sessions, "called twice");

    assert_eq!(before.sessions, 1, "the run's own sessions do not count");
    for user in ["app", OWNER] {
        assert!(!armed.gets_in(&armed.target, user).await, "{user} follows the record early and gets in");
        assert!(armed.gets_in(&armed.world.source, user).await, "{user} is kept from the source");
    }
    assert_eq!(armed.unfence().await?, Outcome::Back);
    session.run("go on", "INSERT INTO public.t VALUES (1)").await?;
    let late = armed.shut_target().await.expect_err("the rollback is decided");
    assert_eq!(late.code, ErrorCode::AlreadyBack);
    assert!(armed.open().await.is_err(), "the target opened after the rollback");
    Ok(())
}

#[tokio::test]
async fn a_call_that_shuts_the_target_after_open_does_not() -> Result<()> {
    let armed = Armed::start(15).await?;
    armed.shut_target().await?;
    armed.fence().await?;
    armed.drain().await?;
    assert_eq!(armed.open().await?, Outcome::Open);

    let late = armed.shut_target().await.expect_err("the target is open");

    assert_eq!(late.code, ErrorCode::AlreadyBack);
    assert!(armed.gets_in(&armed.target, "app").await && armed.gets_in(&armed.target, OWNER).await);
    Ok(())
}

#[tokio::test]
async fn clients_that_leave_while_the_record_changes_end_the_wait() -> Result<()> {
    let armed = Armed::start(17).await?;
    let mut sessions = armed.applications(4).await?;
    let before = armed.shut_target().await?;
    assert_eq!(before.sessions, 4);

    let late = armed.applications(3).await?;
    let Polled::Waiting(seen) = armed.watch(before, 30_000.0).await? else { panic!("all sessions are there") };
    assert!(seen.contains("4 of 4 sessions"), "{seen}");
    sessions.truncate(1);
    let gone = wait_for("the sessions to end", async || match armed.watch(before, 30_000.0).await? {
        Polled::Done(answer) => Ok(Some(answer)),
        Polled::Waiting(_) => Ok(None),
    });
    assert_eq!(gone.await?, NoOutput {}, "new sessions do not make up for those that are gone");

    let back = armed.watch(before, 500.0).await.expect_err("putting the record back is shorter than the steps");
    assert_eq!(back.code, ErrorCode::CutoverNotSafe, "{back}");
    drop(late);
    Ok(())
}

#[tokio::test]
async fn a_source_that_restarts_while_the_record_changes_ends_the_wait() -> Result<()> {
    let armed = Armed::start(15).await?;
    let before = armed.shut_target().await?;
    assert!(matches!(armed.watch(before, 30_000.0).await?, Polled::Waiting(_)));

    armed.world.rds().reboot_db_instance().db_instance_identifier(step_tests::SOURCE).send().await?;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let seen = wait_for("the source", async || {
        Ok(match armed.watch(before, 30_000.0).await {
            Err(StepError { code: ErrorCode::DatabaseUnreachable, .. }) => None,
            Ok(Polled::Waiting(_)) => None, // it has not stopped yet
            answer => Some(answer?),
        })
    });

    assert_eq!(seen.await?, Polled::Done(NoOutput {}));
    Ok(())
}
