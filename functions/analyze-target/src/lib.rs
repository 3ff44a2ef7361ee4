//! Analyze the target, so that no client ever meets a database without statistics. An upgrade to a version below 18
//! keeps none, and what a newer one keeps does not describe the rows that were loaded.
//!
//! Changes:      target (statistics; progress in schema `pgleap`)
//! Repeatable:   yes; the list is made once, each table commits together with the note that it is done
//! If it dies:   the workers on the server go on; the next look finds what is left

use std::time::Duration;

use pgleap_contract::steps::{NoOutput, OnBoth};
use pgleap_pg::chores::Phase;
use pgleap_step_kit::chores::{OnFailure, work_off};
use pgleap_step_kit::prelude::*;
use pgleap_step_kit::source_watch::{self, Pace};
use pgleap_step_kit::wal::refuse_too_much_wal;

/// The stages of `vacuumdb --analyze-in-stages`, table by table.
pub const PLAN: &str = include_str!("plan.sql");

/// Workers at a time: reading is bound by the disk before it is by processors.
const WORKERS: i64 = 3;
/// The function lives for 570 s.
const PACE: Pace = Pace::of(Duration::from_secs(560));

/// Plan once, let the server work.
pub async fn run(ctx: &Ctx, input: OnBoth) -> StepResult<Polled<NoOutput>> {
    source_watch::keep_up(ctx, &input.run, &input.source, PACE).await?;
    refuse_too_much_wal(&ctx.as_work(&input.run, &input.source).await?, &input.source, &input.run.limits).await?;
    let target = ctx.as_target_owner(&input.run, &input.target).await?;
    target.run("plan the statistics", PLAN).await?;
    work_off(ctx, &input.run, &input.target, &target, Phase::Analyze, WORKERS, OnFailure::Stop).await
}
