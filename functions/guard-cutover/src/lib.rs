//! Guard the cutover: check every guardrail at once, just before the fence.
//!
//! Changes:      source (a marker row, to measure the lag with; what the watch found); target (another; autovacuum kept off its tables until after OPEN; the owner's password, if it was changed on the source)
//! Repeatable:   yes; the machine looks until every guardrail holds, or, while a person is asked, until there is an answer
//! If it dies:   nothing but a marker row

mod fail_back;
mod fence;
mod latency;
mod logins;
mod outage;
mod patience;
mod record;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pgleap_contract::Limits;
use pgleap_contract::steps::{GuardCutoverInput, GuardCutoverOutput};
use pgleap_pg::chores::{self, Phase};
use pgleap_pg::slots::{self, Slot};
use pgleap_pg::{PgErrorKind, Session};
use pgleap_step_kit::metrics::{self, Unit};
use pgleap_step_kit::prelude::*;
use pgleap_step_kit::source_watch::{self, Pace};
use pgleap_step_kit::unchanged::{refuse_changed_source, reloaded_tables};
use pgleap_step_kit::wal::refuse_too_much_wal;
use pgleap_window::Interruption;

/// The function lives for 100 s.
const PACE: Pace = Pace::of(Duration::from_secs(75));

const LONG_TRANSACTIONS: &str = include_str!("long_transactions.sql");

/// What was seen of the guardrails that may hold later.
#[derive(Debug, Clone, PartialEq)]
struct Seen {
    /// None if the marker did not arrive within the limit.
    lag: Option<Duration>,
    long_transactions: Vec<String>,
    prepared: i64,
    /// Background workers of a superuser that have been in a transaction for a while.
    workers: Vec<String>,
    /// Bytes that the watch on the source's changes has not read.
    unwatched: u64,
    /// A person has not said yes yet, or the target is not protected yet.
    held: bool,
}

/// Refuse for good what no waiting mends; look at the rest.
pub async fn run(ctx: &Ctx, input: GuardCutoverInput) -> StepResult<Polled<GuardCutoverOutput>> {
    let (source, target) =
        tokio::try_join!(ctx.as_work(&input.run, &input.source), ctx.as_work(&input.run, &input.target))?;
    let limits = &input.run.limits;
    let unwatched = source_watch::keep_up(ctx, &input.run, &input.source, PACE).await?;
    let slot = refuse_too_much_wal(&source, &input.source, limits).await?;
    refuse_changed_source(&input.run, &source).await?;
    fence::refuse_what_would_pass(&source, &target, &input.run, input.generation).await?;
    // Failing back, the old server's fence keeps the owner out.
    if !input.switched && input.run.purpose.is_upgrade() {
        logins::ensure_owner_gets_in(ctx, &input).await?;
    }
    let problems = pgleap_engines::problems(&input.run, &source, &target).await?;
    if !problems.is_empty() {
        return Err(StepError::new(ErrorCode::TablesInError, problems.join("; ")));
    }
    if let Some(reloaded) = reloaded_tables(&input.run, &target).await? {
        return Err(StepError::new(ErrorCode::TablesInError, reloaded));
    }
    let seen = Seen {
        long_transactions: long_transactions(&source, limits).await?,
        prepared: source
            .row("count prepared transactions", "SELECT count(*) FROM pg_prepared_xacts", &[])
            .await?
            .get(0),
        lag: pgleap_engines::lag(&input.run, &source, &target, longest_lag(limits)).await?,
        workers: fence::busy_workers(&source).await?,
        unwatched,
        held: input.held,
    };
    if seen.lag.is_none() {
        refuse_unread(&slot, &slots::look(&source).await?)?;
    }
    let mut in_the_way = decide(&seen, limits);
    in_the_way.extend(fail_back::in_the_way(&input, &target).await?);
    if input.switched {
        in_the_way.extend(record::leads_elsewhere(ctx, &input).await);
    }
    tell(&input.run, &seen, &slot, latency::measure(&target).await?);
    if input.run.keeps_fail_back() {
        pgleap_pg::fail_back::keep_up(&target, &input.run.names().back_seed()).await?;
    }
    if in_the_way.is_empty() {
        in_the_way.extend(calm(&target, &input.run).await?);
        pgleap_engines::before_fence(&input.run, &target).await?;
    }
    let mut output = None;
    if let Some(lag) = seen.lag.filter(|_| in_the_way.is_empty()) {
        let expected = expect(&input, &source, &target, lag).await?;
        in_the_way.extend(outage::refuse_too_long(&input, &expected)?);
        output = Some(expected);
    }
    refuse_closed_window(&input, &in_the_way)?;
    patience::refuse_longer_wait(&input, &in_the_way, output.is_some())?;
    Ok(match output.filter(|_| in_the_way.is_empty()) {
        Some(output) => Polled::Done(output),
        None => Polled::Waiting(in_the_way.join("; ")),
    })
}

/// When the record is switched, and what clients will see.
async fn expect(
    input: &GuardCutoverInput,
    source: &Session,
    target: &Session,
    lag: Duration,
) -> StepResult<GuardCutoverOutput> {
    let switch = record::decide(input, source).await?;
    let forecast = outage::forecast(input, source, target, lag, switch.record).await?;
    tracing::info!(?switch, ?forecast, "every guardrail holds");
    let lag_milliseconds = u64::try_from(lag.as_millis()).unwrap_or(u64::MAX);
    Ok(GuardCutoverOutput { lag_milliseconds, switch, forecast })
}

/// What does not hold while the window is open is looked at again until it closes, and no longer.
fn refuse_closed_window(input: &GuardCutoverInput, in_the_way: &[String]) -> StepResult<()> {
    let Some(window) = input.run.window.as_ref().filter(|_| !input.held && !in_the_way.is_empty()) else {
        return Ok(());
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    let opening =
        pgleap_window::next(window, Interruption::cutover(&input.run.limits, input.run.cutover.switch_record), now);
    if opening.map_err(|reason| StepError::new(ErrorCode::BadInput, reason))?.holds(now) {
        return Ok(());
    }
    let message = format!("the window closed before the cutover was safe: {}", in_the_way.join("; "));
    Err(StepError::new(ErrorCode::WindowOver, message))
}

fn tell(run: &Run, seen: &Seen, slot: &Slot, latencies: Vec<(&'static str, Unit, f64)>) {
    let mut figures = latencies;
    figures.push(("LagBytes", Unit::Bytes, slot.lag_bytes as f64));
    figures.push(("RetainedWalBytes", Unit::Bytes, slot.retained_bytes as f64));
    figures.extend(seen.lag.map(|lag| ("LagMilliseconds", Unit::Milliseconds, lag.as_secs_f64() * 1_000.0)));
    metrics::tell(run, &figures);
}

/// The guardrails that do not hold; none is good.
fn decide(seen: &Seen, limits: &Limits) -> Vec<String> {
    let mut in_the_way = Vec::new();
    if seen.held {
        in_the_way.push("the cutover is on hold until it is approved and the target is protected".to_owned());
    }
    if seen.lag.is_none() {
        in_the_way.push(format!("the lag is above {} s", limits.max_lag_seconds));
    }
    if !seen.long_transactions.is_empty() {
        let named = seen.long_transactions.join(", ");
        in_the_way.push(format!("transactions older than {} s: {named}", limits.max_transaction_seconds));
    }
    if seen.unwatched > 0 {
        let megabytes = seen.unwatched.div_ceil(1_000_000);
        in_the_way.push(format!("the run has {megabytes} MB of the source's changes left to check"));
    }
    if seen.prepared > 0 {
        in_the_way.push(format!("{} prepared transactions on the source", seen.prepared));
    }
    if !seen.workers.is_empty() {
        in_the_way.push(format!("background workers that the fence cannot end: {}", seen.workers.join(", ")));
    }
    in_the_way
}

/// A copy that stopped, or lost its slot, never catches up; the engine's load mends that. Looked at twice, with the wait for the
/// marker in between, because the engine may just be connecting again.
fn refuse_unread(before: &Slot, after: &Slot) -> StepResult<()> {
    let reason = match (before.is_read || after.is_read, after.exists) {
        (true, _) => return Ok(()),
        (false, true) => "no process reads the run's replication slot",
        (false, false) => "the run's replication slot does not exist",
    };
    Err(StepError::new(ErrorCode::ReplicationFailed, format!("measure the lag: {reason}")))
}

/// Keep autovacuum off the target's tables: under the fence its locks would cost clients a second each. A lock that is
/// not had within the limit is one that completing the target would wait for too.
async fn calm(target: &Session, run: &Run) -> StepResult<Option<String>> {
    if !run.purpose.is_upgrade() {
        return Ok(None); // the old server's tables are as they always were
    }
    target.run("limit the wait for locks", "SET lock_timeout = '3s'").await?;
    loop {
        match chores::complete(target, Phase::Calm, 200).await {
            Ok((_, 0)) => return Ok(None),
            Ok(_) => (),
            Err(error) if error.kind == PgErrorKind::Busy => {
                return Ok(Some(format!("a table of the target is locked: {error}")));
            }
            Err(error) => return Err(error.into()),
        }
    }
}

async fn long_transactions(source: &Session, limits: &Limits) -> StepResult<Vec<String>> {
    let seconds = f64::from(limits.max_transaction_seconds);
    let rows = source.rows("list long transactions", LONG_TRANSACTIONS, &[&seconds]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

fn longest_lag(limits: &Limits) -> Duration {
    Duration::from_secs(u64::from(limits.max_lag_seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_that_nobody_reads_is_refused_at_the_second_look() {
        let slot = |exists, is_read| Slot { exists, is_read, ..Slot::default() };
        let cases = [
            (slot(true, true), slot(true, true), true),
            (slot(true, false), slot(true, true), true),
            (slot(true, true), slot(true, false), true),
            (slot(true, false), slot(true, false), false),
            (slot(false, false), slot(false, false), false),
        ];
        for (before, after, good) in cases {
            assert_eq!(refuse_unread(&before, &after).is_ok(), good, "{before:?} {after:?}");
        }
    }

    #[test]
    fn every_guardrail_that_does_not_hold_is_named() {
        let limits = Limits::default();
        let good = Seen {
            lag: Some(Duration::from_millis(80)),
            long_transactions: vec![],
            prepared: 0,
            workers: vec![],
            unwatched: 0,
            held: false,
        };
        let cases = [
            (good.clone(), vec![]),
            (Seen { held: true, ..good.clone() }, vec!["the cutover is on hold"]),
            (Seen { lag: None, ..good.clone() }, vec!["lag"]),
            (Seen { long_transactions: vec!["pid 7 of shop since 40 s".to_owned()], ..good.clone() }, vec!["pid 7"]),
            (Seen { prepared: 2, ..good.clone() }, vec!["2 prepared"]),
            (Seen { workers: vec!["pglogical apply".to_owned()], ..good.clone() }, vec!["pglogical apply"]),
            (Seen { unwatched: 1, ..good.clone() }, vec!["has 1 MB of the source"]),
            (Seen { lag: None, prepared: 1, ..good }, vec!["lag", "1 prepared"]),
        ];
        for (seen, words) in cases {
            let in_the_way = decide(&seen, &limits);

            assert_eq!(in_the_way.len(), words.len(), "{seen:?}");
            for (sentence, word) in in_the_way.iter().zip(words) {
                assert!(sentence.contains(word), "{sentence}");
            }
        }
    }
}
