//! Rebuild the target: create secondary indexes, constraints and, if the copy login can set the replica role, foreign
//! keys, and refresh materialized views, which also measures them. A view that cannot be refreshed keeps the content
//! that it has on the source.
//!
//! Changes:      target (what prepare-target set aside; which views are refreshed under the fence)
//! Repeatable:   yes; each chore commits together with the note that it is done
//! If it dies:   the workers on the server go on; the next look finds what is left

mod views;

use std::time::Duration;

use pgleap_contract::steps::{NoOutput, OnBoth};
use pgleap_pg::chores::{self, Phase};
use pgleap_step_kit::chores::{OnFailure, work_off};
use pgleap_step_kit::prelude::*;
use pgleap_step_kit::source_watch::{self, Pace};
use pgleap_step_kit::wal::refuse_too_much_wal;

/// Workers at a time. Each index is built in parallel by the server itself too (max_parallel_maintenance_workers).
const WORKERS: i64 = 3;
/// The function lives for 270 s.
const PACE: Pace = Pace::of(Duration::from_secs(260));

/// Let the server work; when all is built, decide what fits under the fence.
pub async fn run(ctx: &Ctx, input: OnBoth) -> StepResult<Polled<NoOutput>> {
    source_watch::keep_up(ctx, &input.run, &input.source, PACE).await?;
    refuse_too_much_wal(&ctx.as_work(&input.run, &input.source).await?, &input.source, &input.run.limits).await?;
    let target = ctx.as_target_owner(&input.run, &input.target).await?;
    let look = work_off(ctx, &input.run, &input.target, &target, Phase::Rebuild, WORKERS, OnFailure::Stop).await?;
    if matches!(look, Polled::Done(_)) {
        for given_up in chores::given_up(&target, Phase::Rebuild).await? {
            tracing::warn!(given_up, "an object was not rebuilt before the cutover; the run tries again after OPEN");
        }
        views::choose(&target).await?;
    }
    Ok(look)
}
