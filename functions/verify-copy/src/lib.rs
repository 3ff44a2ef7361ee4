//! Verify the copy while clients go on: the same rows on both sides, and a source that nobody changed underneath.
//!
//! Changes:      target (the table `pgleap.verified`: what was compared); source (marker rows)
//! Repeatable:   yes; a table that was found equal is not compared again
//! Undo:         none needed
//! If it dies:   the table under comparison is compared again
//! Fails with:   CopyDiffers, ChangeNotCarried, WatchLost, TablesInError, SourceChanged (final), DatabaseUnreachable, ResourceBusy (retried)
//!
//! Each call compares tables for a while and leaves; the machine calls again until none is pending. Rows are counted and
//! hashed by the servers, so nothing but two numbers a table travels, however large it is.
//!
//! A table that clients write to differs at almost every look, and that says nothing. So a difference is suspicious only
//! if the source stood still around it: the same sum before and after, and in between a marker row that the target had
//! applied before its own sum was taken. And it counts only if the very same is seen again after a while in which the
//! server counted no change to the source's table: a queue that is empty before and after is not a table at rest.
//! A table that never stands still is skipped and counted: for it the drain's marker and DMS's control tables are the
//! proof.

mod checksum;
mod compare;
mod progress;

use std::time::{Duration, Instant};

use pgleap_contract::steps::{VerifyCopyInput, VerifyCopyOutput};
use pgleap_pg::{Session, dms_notes};
use pgleap_step_kit::prelude::*;
use pgleap_step_kit::source_watch::{self, Pace};
use pgleap_step_kit::unchanged::refuse_changed_source;
use pgleap_step_kit::wal::refuse_too_much_wal;

use crate::progress::{Found, Totals};

/// How long a call goes on taking up tables.
const SLICE: Duration = Duration::from_secs(100);
/// How long the statements of one call may take: the Lambda's life, less a margin to write down what was found.
const CALL: Duration = Duration::from_secs(780);
/// The watch on the source's changes has a part of it.
const PACE: Pace = Pace::of(Duration::from_secs(90));

/// Compare for a while.
pub async fn run(ctx: &Ctx, input: VerifyCopyInput) -> StepResult<VerifyCopyOutput> {
    let began = Instant::now();
    let run = &input.run;
    let (source, target) = tokio::try_join!(ctx.as_owner(run, &input.source), ctx.as_owner(run, &input.target))?;
    let dms = ctx.connect(run, &input.target, &run.id.names().dms_target_secret()).await?;
    source_watch::keep_up(ctx, run, &input.source, PACE).await?;
    refuse_too_much_wal(&source, &input.source, &run.limits).await?;
    refuse_noted_errors(&dms).await?;
    refuse_changed_source(&source).await?;

    progress::begin(&source, &target, input.mends).await?;
    let budget_left = progress::seconds_since_begin(&target).await? < f64::from(run.limits.verify_seconds);
    if budget_left {
        checksum::prepare(&source).await?;
        checksum::prepare(&target).await?;
        compare_pending(&source, &target, began).await?;
    } else {
        progress::skip_pending(&target).await?;
    }
    let totals = progress::totals(&target).await?;
    if totals.pending == 0 {
        // What changed while we looked, a TRUNCATE say, may have made a table "stand still".
        refuse_changed_source(&source).await?;
    }
    Ok(output(&totals))
}

async fn compare_pending(source: &Session, target: &Session, began: Instant) -> StepResult<()> {
    for table in progress::pending(target).await? {
        if began.elapsed() >= SLICE {
            break;
        }
        let columns = checksum::columns(source, &table).await?;
        let found = compare::table(source, target, &table, &columns, began + CALL).await?;
        progress::note(target, &table, &found).await?;
        if found == Found::Skipped {
            tracing::info!(table = table.to_string(), "skipped: it never stood still, or is too large for the budget");
        }
    }
    Ok(())
}

async fn refuse_noted_errors(dms: &Session) -> StepResult<()> {
    let notes = dms_notes::read(dms).await?;
    if notes.is_empty() {
        return Ok(());
    }
    Err(StepError::new(ErrorCode::TablesInError, format!("read what DMS noted: {}", notes.join("; "))))
}

fn output(totals: &Totals) -> VerifyCopyOutput {
    let done = totals.pending == 0;
    let all = totals.pending + totals.equal + totals.skipped;
    let waiting_for = if done {
        String::new()
    } else {
        format!("{} of {all} tables are equal, {} to compare", totals.equal, totals.pending)
    };
    VerifyCopyOutput { done, waiting_for, tables_equal: totals.equal, tables_skipped: totals.skipped }
}
