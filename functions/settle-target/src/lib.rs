//! Settle the target after OPEN, while clients work: validate constraints, make NOT NULL a property of the columns
//! again, attach foreign keys of partitioned tables, and refresh the remaining materialized views, until the catalogs
//! are as on the source.
//!
//! What cannot be finished is no reason to leave the rest of the run behind. A constraint that rows violate stays NOT VALID, a
//! view that cannot be refreshed keeps its content; each is named with the SQL that would finish it, and the run goes on.
//!
//! Changes:      target (constraints, materialized views, replica identities)
//! Repeatable:   yes; each chore commits together with the note that it is done
//! If it dies:   the workers on the server go on; the next look finds what is left

use pgleap_contract::steps::{SettleTargetInput, SettleTargetOutput, Unfinished, Warnings};
use pgleap_pg::Session;
use pgleap_pg::chores::{self, Phase};
use pgleap_step_kit::chores::{OnFailure, work_off};
use pgleap_step_kit::prelude::*;

/// Few, because clients work at the same time.
const WORKERS: i64 = 2;
/// What is not finished after a day waits for a lock that somebody holds, or needs a person. Shorter than the machines poll.
const LONGEST_SECONDS: f64 = 24.0 * 3_600.0;

/// Let the server work.
pub async fn run(ctx: &Ctx, input: SettleTargetInput) -> StepResult<Polled<SettleTargetOutput>> {
    run_within(ctx, input, LONGEST_SECONDS).await
}

/// The same, with another limit.
pub async fn run_within(
    ctx: &Ctx,
    input: SettleTargetInput,
    longest_seconds: f64,
) -> StepResult<Polled<SettleTargetOutput>> {
    let target = ctx.as_target_owner(&input.run, &input.target).await?;
    if !chores::are_there(&target).await? {
        // The clean-up is done: this is a repeated call by the recovery.
        return Ok(done(Warnings::default(), input.unset));
    }
    let begun = chores::seconds_since_begun(&target, Phase::Settle).await?;
    let look = work_off(ctx, &input.run, &input.target, &target, Phase::Settle, WORKERS, OnFailure::GoOn).await?;
    if let Polled::Waiting(waiting_for) = look {
        if begun <= longest_seconds {
            return Ok(Polled::Waiting(waiting_for));
        }
        let worker = input.run.names().application(Phase::Settle.word());
        chores::give_up(&target, Phase::Settle, &worker, "not finished within a day").await?;
    }
    finish(&target, input.unset).await
}

async fn finish(target: &Session, unset: Vec<Unfinished>) -> StepResult<Polled<SettleTargetOutput>> {
    let warnings = chores::unfinished(target).await?;
    for unfinished in &warnings.named {
        tracing::warn!(unfinished.object, unfinished.reason, unfinished.statements, "stays unfinished");
    }
    Ok(done(warnings, unset))
}

fn done(warnings: Warnings, unset: Vec<Unfinished>) -> Polled<SettleTargetOutput> {
    Polled::Done(SettleTargetOutput { warnings: warnings.after(unset) })
}
