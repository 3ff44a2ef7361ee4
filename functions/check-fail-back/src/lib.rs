//! Check the fail-back path: does the old server still follow, and has anything happened on the new one that it does not receive?
//!
//! Changes:      source (the new server): a marker row; the slot is dropped if it keeps more WAL than the run may cost
//! Repeatable:   yes
//! If it dies:   called again
//!
//! The schedule of the fail-back path asks at intervals, and failing back asks once more before it begins.

mod verdict;

use std::time::Duration;

use native_databases::following;
use pgleap_contract::steps::{CheckFailBackInput, CheckFailBackOutput};
use pgleap_pg::{Session, fail_back, fingerprint, slot};
use pgleap_step_kit::metrics::{self, Unit};
use pgleap_step_kit::prelude::*;
use pgleap_step_kit::wal::refuse_too_much_wal;

use verdict::Seen;

/// Look at both sides.
pub async fn run(ctx: &Ctx, input: CheckFailBackInput) -> StepResult<CheckFailBackOutput> {
    let run = &input.run;
    let new = ctx.as_work(run, &input.source).await?;
    if let Some(told) = &input.told {
        fail_back::note_told(&new, told).await?;
    }
    let Some(kept) = fail_back::look(&new).await? else {
        return Ok(verdict::output(vec!["the run no longer keeps a fail-back path".to_owned()], None));
    };
    if kept.is_closed {
        return Ok(verdict::output(vec!["the fail-back path has been closed".to_owned()], kept.told.as_deref()));
    }
    let too_much = drop_too_much(&input, &new).await?;
    let old = ctx.as_work(run, &input.target).await?;
    let stream = run.names().copy_stream();
    let state = slot::look(&new, &stream).await?;
    let mut seen = Seen {
        too_much,
        slot_exists: state.exists,
        slot_is_lost: state.is_lost,
        is_running: following::is_running(&old, run).await?,
        problems: native_databases::problems(run, &new, &old).await?,
        changes: changes(&new, &old).await?,
    };
    let lag = match seen.can_arrive() {
        true => native_databases::lag(&new, &old, Duration::from_secs(u64::from(run.limits.max_lag_seconds))).await?,
        false => None,
    };
    if lag.is_none() {
        seen.problems.extend(native_databases::refused(&old, &stream).await?);
    }
    let mut output = verdict::output(seen.void(&input.accept), kept.told.as_deref());
    output.lag_milliseconds = lag.map(|lag| u64::try_from(lag.as_millis()).unwrap_or(u64::MAX));
    output.retained_wal_bytes = state.retained_bytes.unsigned_abs();
    tell(run, &output);
    Ok(output)
}

/// What the old server lacks, or would have to do otherwise.
async fn changes(new: &Session, old: &Session) -> StepResult<Vec<String>> {
    let mut changes = fingerprint::changed(new).await?;
    if changes.iter().any(|change| change.starts_with("table ")) {
        let (on_new, on_old) = tokio::try_join!(fingerprint::tables(new), fingerprint::tables(old))?;
        changes.retain(|change| !verdict::is_healed(change, &on_new, &on_old));
    }
    Ok(changes)
}

/// The database is worth more than the fail-back path.
async fn drop_too_much(input: &CheckFailBackInput, new: &Session) -> StepResult<Option<String>> {
    match refuse_too_much_wal(new, &input.source, &input.run.limits).await {
        Ok(_slot) => Ok(None),
        Err(error) if error.code == ErrorCode::TooMuchWal => {
            slot::end_and_drop(new, &input.run.names().copy_stream()).await?;
            Ok(Some(error.message))
        }
        Err(error) => Err(error),
    }
}

fn tell(run: &Run, output: &CheckFailBackOutput) {
    let is_void = if output.void.is_empty() { 0.0 } else { 1.0 };
    let mut figures = vec![
        ("FailBackUnsafe", Unit::Count, is_void),
        ("FailBackRetainedWalBytes", Unit::Bytes, output.retained_wal_bytes as f64),
    ];
    figures.extend(output.lag_milliseconds.map(|lag| ("FailBackLagMilliseconds", Unit::Milliseconds, lag as f64)));
    metrics::tell(run, &figures);
}
