//! Watch the WAL that the source keeps for the run during the hours in which AWS copies and upgrades the instance: an
//! engine that follows from the snapshot on has a slot on the source, and nothing reads it yet.
//!
//! Changes:      nothing
//! Repeatable:   yes; it is never done, and the machine polls it for as long as the other branch lasts
//! If it dies:   called again

use pgleap_contract::steps::{NoOutput, OnSource};
use pgleap_step_kit::prelude::*;
use pgleap_step_kit::wal::refuse_too_much_wal;

/// Measure once.
pub async fn run(ctx: &Ctx, input: OnSource) -> StepResult<Polled<NoOutput>> {
    let source = ctx.as_work(&input.run, &input.source).await?;
    let slot = refuse_too_much_wal(&source, &input.source, &input.run.limits).await?;
    Ok(Polled::Waiting(format!("the source keeps {:.1} GB of WAL for the run", slot.retained_bytes as f64 / 1e9)))
}
