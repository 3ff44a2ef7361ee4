//! Catch up: enable the subscription, and poll it until a row that is written on the source arrives within seconds.
//!
//! Changes:      target (the subscription is switched on), source (a marker row)
//! Repeatable:   yes
//! If it dies:   the next poll
//!
//! The figures are also metrics (embedded metric format).

use std::time::{Duration, Instant};

use native_databases::subscription::{self, State};
use pgleap_contract::steps::{CatchUpInput, CatchUpOutput, CatchUpReading};
use pgleap_pg::{Session, slots::Slot};
use pgleap_step_kit::metrics::{self, Unit};
use pgleap_step_kit::prelude::*;
use pgleap_step_kit::wal::refuse_too_much_wal;

/// The longest wait for a marker in one poll: the function lives for 75 s.
const LONGEST: Duration = Duration::from_secs(20);
/// With more than this to come a marker would not arrive in time, so none is written.
const NEAR_BYTES: i64 = 64 << 20;

/// The server starts a worker that ended again after 5 s, unless `wal_retrieve_retry_interval` says otherwise.
const WORKER_PATIENCE: Duration = Duration::from_secs(8);
const WORKER_INTERVAL: Duration = Duration::from_millis(50);
/// A minute at least. Some losses are usual: the source fails over, the target restarts.
const MAX_WORKER_LOSSES: u32 = 8;

/// One poll.
pub async fn run(ctx: &Ctx, input: CatchUpInput) -> StepResult<CatchUpOutput> {
    let run = &input.run;
    let stream = run.names().copy_stream();
    let (source, target) = (ctx.as_work(run, &input.source).await?, ctx.as_target_owner(run, &input.target).await?);
    let slot = refuse_too_much_wal(&source, &input.source, &run.limits).await?;
    refuse_lost(&slot, subscription::look(&target, &stream).await?)?;
    let work = ctx.as_work(run, &input.target).await?;
    work.rows("enable the subscription", "SELECT pgleap_copy.start_subscription()", &[]).await?;
    let problems = native_databases::problems(run, &source, &target).await?;
    if !problems.is_empty() {
        return Err(StepError::new(ErrorCode::ReplicationFailed, format!("catch up: {}", problems.join("; "))));
    }
    let worker = await_worker(&target, &stream).await?;
    let reading = reading(&slot, now(&source).await?, worker, input.earlier.as_ref());
    tell(run, &reading);
    if reading.worker_losses >= MAX_WORKER_LOSSES {
        return Err(StepError::new(ErrorCode::ReplicationFailed, no_steady_worker(&target, &reading).await?));
    }
    let longest = LONGEST.min(Duration::from_secs(u64::from(run.limits.max_lag_seconds)));
    let is_near = slot.lag_bytes < NEAR_BYTES && worker.is_some();
    let done = is_near && native_databases::lag(&source, &target, longest).await?.is_some();
    Ok(CatchUpOutput { done, reading })
}

/// The process id of the apply worker, as soon as there is one.
async fn await_worker(target: &Session, stream: &str) -> StepResult<Option<i32>> {
    let began = Instant::now();
    loop {
        let worker = subscription::look(target, stream).await?.and_then(|state| state.worker);
        if worker.is_some() || began.elapsed() > WORKER_PATIENCE {
            return Ok(worker);
        }
        tokio::time::sleep(WORKER_INTERVAL).await;
    }
}

/// The server only notes in its log why a subscription that is switched on is not applied.
async fn no_steady_worker(target: &Session, reading: &CatchUpReading) -> StepResult<String> {
    let losses = reading.worker_losses;
    if reading.worker.is_some() {
        return Ok(format!(
            "catch up: the target's apply worker ended before each of the last {losses} polls: it cannot apply a change, or it \
             loses its connection to the source; the target's log says why"
        ));
    }
    let sql = "SELECT current_setting('max_logical_replication_workers'), current_setting('max_worker_processes')";
    let row = target.row("read how many workers the target may run", sql, &[]).await?;
    let (replication, all): (&str, &str) = (row.get(0), row.get(1));
    Ok(format!(
        "catch up: the subscription is enabled, but the target has run no apply worker for it for {losses} polls: its \
         max_logical_replication_workers ({replication}) or max_worker_processes ({all}) is too low; the target's log \
         says which"
    ))
}

fn refuse_lost(slot: &Slot, subscription: Option<State>) -> StepResult<()> {
    let reason = match (slot, subscription) {
        (Slot { exists: false, .. }, _) => "the run's replication slot no longer exists on the source",
        (Slot { is_lost: true, .. }, _) => "the source no longer keeps WAL for the run's replication slot",
        (_, None) => "the run's subscription no longer exists on the target",
        (_, Some(_)) => return Ok(()),
    };
    Err(StepError::new(ErrorCode::ReplicationFailed, format!("catch up: {reason}")))
}

async fn now(source: &Session) -> StepResult<f64> {
    Ok(source.row("read the time", "SELECT extract(epoch FROM clock_timestamp())::float8", &[]).await?.get(0))
}

fn reading(slot: &Slot, now: f64, worker: Option<i32>, earlier: Option<&CatchUpReading>) -> CatchUpReading {
    let lag = slot.lag_bytes.max(0).unsigned_abs();
    let rate = earlier.and_then(|earlier| {
        let (seconds, less) = (now - earlier.at as f64, earlier.lag_bytes.checked_sub(lag)?);
        (seconds >= 1.0 && less > 0).then(|| less as f64 / seconds)
    });
    CatchUpReading {
        at: now as u64,
        lag_bytes: lag,
        retained_wal_bytes: slot.retained_bytes.max(0).unsigned_abs(),
        bytes_per_second: rate.map(|rate| rate as u64),
        seconds_left: rate.filter(|rate| *rate >= 1.0).map(|rate| (lag as f64 / rate) as u64),
        worker,
        worker_losses: losses(worker, earlier),
    }
}

/// At the first poll the worker has just been started.
fn losses(worker: Option<i32>, earlier: Option<&CatchUpReading>) -> u32 {
    let is_the_same = worker.is_some() && earlier.is_none_or(|earlier| earlier.worker == worker);
    if is_the_same { 0 } else { earlier.map_or(0, |earlier| earlier.worker_losses) + 1 }
}

fn tell(run: &Run, reading: &CatchUpReading) {
    let mut figures = vec![
        ("LagBytes", Unit::Bytes, reading.lag_bytes as f64),
        ("RetainedWalBytes", Unit::Bytes, reading.retained_wal_bytes as f64),
    ];
    figures.extend(reading.bytes_per_second.map(|rate| ("CopyRate", Unit::BytesPerSecond, rate as f64)));
    figures.extend(reading.seconds_left.map(|seconds| ("CopySecondsLeft", Unit::Seconds, seconds as f64)));
    metrics::tell(run, &figures);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_and_time_left_come_from_two_polls() {
        let slot = |lag_bytes| Slot { exists: true, lag_bytes, ..Slot::default() };
        let first = reading(&slot(10_000), 100.0, Some(7), None);
        assert_eq!((first.bytes_per_second, first.seconds_left), (None, None));
        let cases = [
            ("it catches up", 110.0, 4_000, Some(600), Some(6)),
            ("the lag grows", 110.0, 20_000, None, None),
            ("no change", 110.0, 10_000, None, None),
            ("too near", 100.5, 4_000, None, None),
            ("there", 110.0, 0, Some(1_000), Some(0)),
        ];
        for (case, at, lag, rate, left) in cases {
            let second = reading(&slot(lag), at, Some(7), Some(&first));

            assert_eq!((second.bytes_per_second, second.seconds_left), (rate, left), "{case}");
        }
    }

    #[test]
    fn polls_without_the_worker_of_the_poll_before_are_counted() {
        let slot = Slot { exists: true, ..Slot::default() };
        let mut last = None;
        for (worker, losses) in [
            (Some(7), 0),
            (Some(7), 0),
            (None, 1),
            (Some(8), 2),
            (Some(9), 3),
            (None, 4),
            (None, 5),
            (Some(9), 6),
            (Some(9), 0),
        ] {
            let poll = reading(&slot, 100.0, worker, last.as_ref());

            assert_eq!(poll.worker_losses, losses, "{worker:?} after {last:?}");
            last = Some(poll);
        }
        assert_eq!(reading(&slot, 100.0, None, None).worker_losses, 1);
    }

    #[test]
    fn what_was_lost_is_named() {
        let there = Some(State { enabled: true, worker: Some(7), applied: None });
        let slot = Slot { exists: true, ..Slot::default() };
        assert!(refuse_lost(&slot, there).is_ok());
        for (slot, subscription, words) in [
            (Slot { exists: false, ..slot }, there, "replication slot no longer exists"),
            (Slot { is_lost: true, ..slot }, there, "no longer keeps WAL"),
            (slot, None, "subscription no longer exists"),
        ] {
            assert!(refuse_lost(&slot, subscription).unwrap_err().message.contains(words), "{words}");
        }
    }
}
