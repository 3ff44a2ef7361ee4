//! What a disturbance does beside statements: each an event of a real account, at one moment of the run.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use local_aws_rds::PlannedFault;
use serde_json::{Value, json};

use crate::connect::Login;
use crate::disturbance::Deed;
use crate::observer::{Access, connect};
use crate::scenario::{Endpoint, Means};
use crate::stage::{DATABASE, SOURCE};

const LOOK: Duration = Duration::from_millis(20);
/// Longest wait for something that should take a second.
const PATIENCE: Duration = Duration::from_secs(60);
/// The server is told to kill the process that serves this session: the postmaster ends all others and recovers.
const CRASH: &str = "COPY (SELECT pg_backend_pid()) TO PROGRAM 'read -r pid; kill -9 \"$pid\"'";

/// Tokens that a session wrote and the server acknowledged.
pub(crate) type Written = Arc<Mutex<Vec<u64>>>;

/// Do it; `payload` is the call's that is about to happen.
pub(crate) async fn done(deed: Deed, means: &Means, payload: &[u8], written: &Written) -> Result<()> {
    match deed {
        Deed::CrashTarget => crash(&means.target).await,
        Deed::LateDeadline => late_deadline(means).await,
        Deed::OtherRunGoesBack => other_run_goes_back(means, payload).await,
        Deed::DropRoleUnderSession => drop_role_under_session(means, written).await,
        Deed::StopSource => means.rds.plan(SOURCE, PlannedFault::StorageFull).await.context("stop the source"),
    }
}

/// A person undoes what lasts.
pub(crate) async fn mend(deed: Deed, means: &Means) -> Result<()> {
    if deed != Deed::StopSource {
        return Ok(());
    }
    let rds = aws_sdk_rds::Client::new(&means.person.sdk);
    let modify = rds.modify_db_instance().db_instance_identifier(SOURCE).allocated_storage(200);
    modify.apply_immediately(true).send().await.context("give the source storage")?;
    let began = Instant::now();
    while connect(&means.source).await.is_err() {
        ensure!(began.elapsed() < PATIENCE, "the source is not back after {} s", PATIENCE.as_secs());
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

/// Wait until a session is in `pg_sleep`: what it holds, it holds now.
pub(crate) async fn await_sleep(access: &Access, pid: i32) -> Result<()> {
    let (client, began) = (connect(access).await?, Instant::now());
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE pid = $1 AND wait_event = 'PgSleep'";
    while client.query_one(sql, &[&pid]).await?.get::<_, i64>(0) == 0 {
        ensure!(began.elapsed() < PATIENCE, "the statement beside the run does not sleep");
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

async fn crash(access: &Access) -> Result<()> {
    let client = connect(access).await?;
    if client.batch_execute(CRASH).await.is_ok() {
        bail!("the server did not crash");
    }
    let began = Instant::now();
    while connect(access).await.is_err() {
        ensure!(began.elapsed() < PATIENCE, "the server is not back after {} s", PATIENCE.as_secs());
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

/// Scheduler tries StartExecution for up to an hour: its recovery can come when the run is almost over.
async fn late_deadline(means: &Means) -> Result<()> {
    let input = json!({"executionArn": means.execution, "reason": "deadline"}).to_string();
    let start = means.states.start_execution().state_machine_arn(&means.recover_machine).input(input);
    let recovery = start.send().await.context("start the late recovery")?.execution_arn().to_owned();
    let began = Instant::now();
    loop {
        let seen = means.states.describe_execution().execution_arn(&recovery).send().await?;
        if *seen.status() != aws_sdk_sfn::types::ExecutionStatus::Running {
            return Ok(());
        }
        ensure!(began.elapsed() < PATIENCE, "the late recovery is not over after {} s", PATIENCE.as_secs());
        tokio::time::sleep(LOOK).await;
    }
}

/// The way back of another run of this source, which its own PrepareSource refused: another stack's, or one that did not
/// see this run in a list that lags.
async fn other_run_goes_back(means: &Means, payload: &[u8]) -> Result<()> {
    let ours: Value = serde_json::from_slice(payload).context("read the call's payload")?;
    let id = ours["run"]["id"].as_str().context("the call has no run")?;
    let run: Value = serde_json::from_str(&ours["run"].to_string().replace(id, "another"))?;
    let theirs = json!({"run": run, "source": ours["source"], "target": null});
    let outcome = means.lambda.invoke("pgleap-unfence-source", theirs).await?;
    tracing::info!(outcome = outcome.word(), "the other run went back");
    Ok(())
}

/// So that a session can write on when its role is gone: what everybody may do, it may.
const FOR_EVERYBODY: &str = "GRANT USAGE ON SCHEMA shop TO PUBLIC; GRANT INSERT ON shop.clicks TO PUBLIC";
const LEASE_PASSWORD: &str = "lease-of-the-rehearsal";
const LEASE: &str =
    "CREATE ROLE lease_7 LOGIN PASSWORD 'lease-of-the-rehearsal'; GRANT CONNECT ON DATABASE shop TO lease_7";
const DROP_LEASE: &str = "REVOKE CONNECT ON DATABASE shop FROM lease_7; DROP ROLE lease_7";

/// What the source has before the run, so that the deed itself changes no catalog that the run watches.
pub(crate) async fn prepare(deed: Deed, source: &Access) -> Result<()> {
    match deed {
        Deed::DropRoleUnderSession => connect(source).await?.batch_execute(FOR_EVERYBODY).await.context("grant"),
        _ => Ok(()),
    }
}

/// Dynamic logins (Vault) are dropped while their sessions live on, as nobody's.
async fn drop_role_under_session(means: &Means, written: &Written) -> Result<()> {
    let superuser = connect(&means.source).await?;
    superuser.batch_execute(LEASE).await.context("create the role")?;
    let Endpoint { connector, names, host } = &means.source_endpoint;
    let login =
        Login { user: "lease_7".to_owned(), password: LEASE_PASSWORD.to_owned(), database: DATABASE.to_owned() };
    let session =
        connector.connect(&names.resolve(host).await?, &login, "lease").await.context("log in as the role")?;
    superuser.batch_execute(DROP_LEASE).await.context("drop the role")?;
    let written = Arc::clone(written);
    tokio::spawn(async move {
        for n in 0.. {
            let sql = format!("INSERT INTO shop.clicks (token, seen) VALUES ('{}', 1)", token(n));
            if let Err(error) = session.batch_execute(&sql).await {
                return tracing::info!(%error, "the session of the dropped role ended");
            }
            written.lock().unwrap_or_else(PoisonError::into_inner).push(n);
            tokio::time::sleep(LOOK).await;
        }
    });
    Ok(())
}

/// How many of the session's rows are not there.
pub(crate) async fn count_lost(written: &Written, serving: &Access) -> Result<usize> {
    let written: Vec<String> =
        written.lock().unwrap_or_else(PoisonError::into_inner).iter().map(|n| token(*n)).collect();
    if written.is_empty() {
        return Ok(0);
    }
    let sql = "SELECT count(*) FROM unnest($1::text[]) AS one (token)
               WHERE NOT EXISTS (SELECT FROM shop.clicks c WHERE c.token = one.token::uuid)";
    let lost: i64 = connect(serving).await?.query_one(sql, &[&written]).await?.get(0);
    Ok(usize::try_from(lost)?)
}

fn token(n: u64) -> String {
    format!("1ea5e777-0000-4000-8000-{n:012}")
}
