//! Warm the target: read once what the snapshot brought, because AWS loads a restored volume from S3 when it is read,
//! and otherwise users would wait for this. Indexes whose order depends on a collation are also checked, because the
//! new server may sort differently, and rebuilt if they are out of order.
//!
//! Changes:      target (progress and functions in schema `pgleap`, and there the extensions pg_prewarm and amcheck where they are
//!               not installed; an index that is out of order)
//! Repeatable:   yes; each part commits together with the note that it is done
//! If it dies:   the workers on the server go on; the next poll finds what is left

mod plan;

use std::time::Duration;

use pgleap_contract::steps::{NoOutput, OnBoth};
use pgleap_pg::Session;
use pgleap_pg::chores::{self, Phase};
use pgleap_step_kit::chores::{OnFailure, work_off};
use pgleap_step_kit::prelude::*;
use pgleap_step_kit::source_watch::{self, Pace};
use pgleap_step_kit::wal::refuse_too_much_wal;

/// Workers at a time: reading is bound by the volume, which the engine needs too.
const WORKERS: i64 = 2;
/// An engine that follows the source already comes first: at a lag above this nothing is read.
const LONGEST_LAG: Duration = Duration::from_secs(30);
/// The function lives for 270 s.
const PACE: Pace = Pace::of(Duration::from_secs(200));

/// Plan once, let the server read, for as long as the input allows.
pub async fn run(ctx: &Ctx, input: OnBoth) -> StepResult<Polled<NoOutput>> {
    let (run, limit) = (&input.run, input.run.limits.warm_seconds);
    source_watch::keep_up(ctx, run, &input.source, PACE).await?;
    let source = ctx.as_work(run, &input.source).await?;
    refuse_too_much_wal(&source, &input.source, &run.limits).await?;
    if limit == 0 {
        return Ok(Polled::Done(NoOutput {}));
    }
    let target = ctx.as_target_owner(run, &input.target).await?;
    plan::make(&target, run).await?;
    let worker = run.names().application(Phase::Warm.word());
    if chores::seconds_since_begun(&target, Phase::Warm).await? > f64::from(limit) {
        let reason = format!("limits.warmSeconds ({limit} s) ended first, so first reads will be slow for a while");
        chores::give_up(&target, Phase::Warm, &worker, &reason).await?;
    } else if is_behind(ctx, &input, &source).await? {
        chores::end_workers(&target, &worker).await?;
        return Ok(Polled::Waiting(format!("the target is more than {} s behind the source", LONGEST_LAG.as_secs())));
    }
    let polled = work_off(ctx, run, &input.target, &target, Phase::Warm, WORKERS, OnFailure::GoOn).await?;
    if matches!(polled, Polled::Done(_)) {
        tell(&target).await?;
    }
    Ok(polled)
}

async fn is_behind(ctx: &Ctx, input: &OnBoth, source: &Session) -> StepResult<bool> {
    if !input.run.copy.engine.traits().keeps_rows_of_snapshot {
        return Ok(false); // nothing follows the source yet
    }
    let target = ctx.as_work(&input.run, &input.target).await?;
    Ok(pgleap_engines::lag(&input.run, source, &target, LONGEST_LAG).await?.is_none())
}

/// For the log; people see the same among the warnings of the run.
async fn tell(target: &Session) -> StepResult<()> {
    for given_up in chores::given_up(target, Phase::Warm).await? {
        tracing::warn!(given_up, "an object was repaired or left unread while the target was warmed");
    }
    Ok(())
}
