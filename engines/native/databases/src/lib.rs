//! Logical replication as the databases show it: a publication and a slot on the source, a subscription on the target.

pub mod following;
pub mod publication;
pub mod subscription;

use std::time::Duration;

use pgleap_contract::{ErrorCode, Run};
use pgleap_pg::{Session, access, marker};
use pgleap_step_kit::{Deadline, StepError, StepResult};

/// How often the marker is looked for.
const INTERVAL: Duration = Duration::from_millis(10);

/// Changes that could not be applied, and tables that do not take part; none is good. While an old server follows for days, its
/// schema may be mended, and then what it failed to apply is applied after all: that counts only until it arrives.
///
/// # Errors
/// One of the two does not answer.
pub async fn problems(run: &Run, source: &Session, target: &Session) -> StepResult<Vec<String>> {
    let stream = run.names().copy_stream();
    let (published, subscribed) =
        tokio::try_join!(publication::published(source, &stream), publication::subscribed(target, &stream))?;
    let mut problems = Vec::new();
    if published != subscribed {
        problems.push(format!(
            "the source publishes {} tables and the target subscribes to {}, and the two lists differ",
            published.0, subscribed.0
        ));
    }
    if run.purpose.is_upgrade() {
        problems.extend(refused(target, &stream).await?);
    }
    Ok(problems)
}

/// How often a change could not be applied, in words. Before 15 the server keeps no count.
///
/// # Errors
/// The target does not answer.
pub async fn refused(target: &Session, stream: &str) -> StepResult<Option<String>> {
    if target.major().await? < 15 {
        return Ok(None);
    }
    let sql = "SELECT apply_error_count FROM pg_stat_subscription_stats WHERE subname = $1::text::name";
    let rows = target.rows("read the errors of the subscription", sql, &[&stream]).await?;
    let errors = rows.first().map_or(0, |row| row.get::<_, i64>(0));
    Ok((errors > 0).then(|| format!("the target failed to apply a change {errors} times; its log says why")))
}

/// From a marker's commit on the source to its sight on the target.
///
/// # Errors
/// One of the two does not answer.
pub async fn lag(source: &Session, target: &Session, longest: Duration) -> StepResult<Option<Duration>> {
    Ok(marker::travel(source, target, "lag", longest, INTERVAL).await?)
}

/// Have the target flush each transaction that it applies, so that the drain takes milliseconds.
///
/// # Errors
/// The target does not answer.
pub async fn before_fence(target: &Session) -> StepResult<()> {
    target.rows("flush each transaction", "SELECT pgleap_copy.flush_each()", &[]).await?;
    Ok(())
}

/// Transactions are applied in the order of their commits. Once the marker is seen and the source's slot is confirmed behind
/// it, everything that was committed before is applied and flushed.
///
/// # Errors
/// The deadline passed, or one of the two does not answer.
pub async fn await_applied(
    run: &Run,
    source: &Session,
    target: &Session,
    marker: &str,
    deadline: &Deadline,
) -> StepResult<()> {
    let row = source.row("read the source's position", "SELECT pg_current_wal_insert_lsn()::text", &[]).await?;
    let (stream, written): (_, &str) = (run.names().copy_stream(), row.get(0));
    while !marker::has(target, marker).await? {
        deadline.pause("drain the source", "the marker has not arrived").await?;
    }
    while !is_confirmed(source, &stream, written).await? {
        deadline.pause("drain the source", "the target has not confirmed the last changes").await?;
    }
    Ok(())
}

/// Stop the subscription for good, and wait until its worker has ended. May be repeated.
///
/// # Errors
/// The deadline passed, or the target does not answer.
pub async fn stop(run: &Run, target: &Session, deadline: &Deadline) -> StepResult<()> {
    let stream = run.names().copy_stream();
    target.rows("stop the subscription", "SELECT pgleap_copy.stop_subscription()", &[]).await?;
    let applies = "SELECT count(*) FROM pg_stat_subscription WHERE subname = $1::text::name AND pid IS NOT NULL";
    let work = run.names().work_login();
    while target.row("look for the subscription's worker", applies, &[&stream]).await?.get::<_, i64>(0) > 0 {
        // Up to 15 an idle worker notices within a second that its subscription is disabled. It has applied everything.
        access::end_others(target, &[&work]).await?;
        deadline.pause("drain the source", "the subscription's worker has not ended").await?;
    }
    Ok(())
}

async fn is_confirmed(source: &Session, slot: &str, written: &str) -> StepResult<bool> {
    let sql =
        "SELECT confirmed_flush_lsn >= $2::text::pg_lsn FROM pg_replication_slots WHERE slot_name = $1::text::name";
    let rows = source.rows("read the state of the run's slot", sql, &[&slot, &written]).await?;
    let lost =
        || StepError::new(ErrorCode::DrainFailed, "drain the source: the run's replication slot no longer exists");
    Ok(rows.first().ok_or_else(lost)?.get::<_, Option<bool>>(0).unwrap_or(false))
}
