//! Prepare the target: plan what is done during the cutover or after it, and from now on, watch the source for changes
//! that the copy engine silently drops. What the copy engine needs on the target is a step of its own.
//!
//! Changes:      target (the plan in schema `pgleap`), source (functions in schema `pgleap`, the tables' files as they are now,
//!               the slot and the tables of the watch on its changes)
//! Repeatable:   yes; the plan is made once, in one transaction
//! If it dies:   called again; the next look finds what is left

mod fail_back;
pub mod plan;

use pgleap_contract::steps::{NoOutput, OnBoth};
use pgleap_pg::{chores, fingerprint, sequences, watch};
use pgleap_step_kit::prelude::*;
use pgleap_step_kit::source_watch;

/// Plan once, then arm the watch.
pub async fn run(ctx: &Ctx, input: OnBoth) -> StepResult<Polled<NoOutput>> {
    let run = &input.run;
    let work = run.names().work_login();
    let target = ctx.as_target_owner(run, &input.target).await?;
    let source = ctx.as_owner(run, &input.source).await?;
    fail_back::prove(run, &target).await?;
    chores::install(&target, &work).await?;
    for side in [&target, &source] {
        sequences::install(side, &work).await?;
    }
    plan::make(&target, run).await?;

    // Before the copy begins: what is changed from here on, or rewritten, is missed by nobody.
    if run.copy.engine.traits().drops_changes_silently {
        watch::install(&source, &work).await?;
    }
    if let Some(waiting_for) = source_watch::arm(ctx, run, &input.source).await? {
        return Ok(Polled::Waiting(waiting_for));
    }
    // Where the snapshot's rows are kept, prepare-source did it before the snapshot.
    if !run.copy.engine.traits().keeps_rows_of_snapshot {
        fingerprint::take_filenodes(&source).await?;
    }
    Ok(Polled::Done(NoOutput {}))
}
