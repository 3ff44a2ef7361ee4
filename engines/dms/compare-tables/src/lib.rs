//! Compare the tables that were loaded again, before the task returns to full LOB mode: both sides must have the same
//! number of rows and the same total length of their values, so that nothing was truncated and nothing is missing.
//!
//! Changes:      source (marker rows), target (DMS's notes about these tables are forgotten)
//! Repeatable:   yes; the machine looks until the tables agree
//! If it dies:   nothing but a marker row
//!
//! Clients go on writing. A table that stands still around a marker row, which the target has applied in between, must
//! agree exactly. One that does not stand still must agree within the changes that its server counted meanwhile; that
//! their content arrived is for verify-copy and the drain to prove.

mod sums;

use std::time::{Duration, Instant};

use dms_databases::notes;
use pgleap_contract::steps::{CompareTablesInput, NoOutput, TableName};
use pgleap_pg::{Session, marker};
use pgleap_step_kit::prelude::*;
use pgleap_step_kit::source_watch::{self, Pace};

use crate::sums::{Sums, Verdict, decide, sums};

/// How long a marker may take to the target before the rest is left for the next call.
const MARKER_TIME: Duration = Duration::from_secs(10);
const MARKER_PAUSE: Duration = Duration::from_millis(20);
/// How often a table that does not stand still is looked at in one call.
const TRIES: u32 = 5;
/// How long the statements of one call may take.
const CALL: Duration = Duration::from_secs(780);
const PACE: Pace = Pace::of(CALL);

/// One look at every table.
pub async fn run(ctx: &Ctx, input: CompareTablesInput) -> StepResult<Polled<NoOutput>> {
    let (run, until) = (&input.run, Instant::now() + CALL);
    let (source, target) = tokio::try_join!(ctx.as_owner(run, &input.source), ctx.as_target_owner(run, &input.target))?;
    source_watch::keep_up(ctx, run, &input.source, PACE).await?;
    for table in &input.tables {
        if let Some(waiting_for) = compare(&source, &target, table, until).await? {
            return Ok(Polled::Waiting(waiting_for));
        }
    }
    let dms = ctx.connect(run, &input.target, &run.names().copy_target_secret()).await?;
    notes::forget(&dms, &input.tables).await?;
    Ok(Polled::Done(NoOutput {}))
}

/// Answers what is waited for, or nothing.
async fn compare(source: &Session, target: &Session, table: &TableName, until: Instant) -> StepResult<Option<String>> {
    let mut seen = String::new();
    for _try in 0..TRIES {
        let before = sums(source, table, until).await?;
        if marker::travel(source, target, "compare", MARKER_TIME, MARKER_PAUSE).await?.is_none() {
            return Ok(Some(format!("table {table}: the changes of the source have not arrived yet")));
        }
        let there = sums(target, table, until).await?;
        let after = sums(source, table, until).await?;
        let (Some(before), Some(there), Some(after)) = (before, there, after) else {
            tracing::info!(table = table.to_string(), "not compared: the table is locked or takes too long");
            return Ok(None);
        };
        match decide(&before, &there, &after) {
            Verdict::Agrees => return Ok(None),
            Verdict::Moves => seen = in_words(&before, &there, &after),
        }
    }
    Ok(Some(format!("table {table} does not agree yet: {seen}")))
}

fn in_words(before: &Sums, there: &Sums, after: &Sums) -> String {
    format!("{before} on the source, {there} on the target, {after} on the source again")
}
