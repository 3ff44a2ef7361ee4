//! Prepare the fail-back path before the fence: what takes time, or may fail, must not do so while clients wait.
//!
//! Changes:      target (publication, a replication slot that is moved later, the row that says so); source (a subscription that is
//!               switched off, functions in the schemas of the run)
//! Repeatable:   yes; what is there is left alone
//! If it dies:   called again; the target goes on making the slot by itself
//!
//! The subscription connects to the target when it is created, so this also proves that the old server reaches the new one.

use native_databases::{following, publication};
use pgleap_contract::steps::{NoOutput, OnBoth};
use pgleap_pg::fail_back;
use pgleap_step_kit::prelude::*;
use pgleap_step_kit::source_watch::make_slot;

/// The plugin that comes with PostgreSQL and that a subscription asks for.
const PLUGIN: &str = "pgoutput";

/// The publication first: a slot that is older than it cannot be read with it.
pub async fn run(ctx: &Ctx, input: OnBoth) -> StepResult<Polled<NoOutput>> {
    let (run, old, new) = (&input.run, &input.source, &input.target);
    let back = run.failing_back(&run.execution_arn);
    let stream = back.names().copy_stream();
    let owner = ctx.as_target_owner(run, new).await?;
    publication::ensure(&owner, run.id.as_str(), &stream).await?;
    if let Some(waiting_for) = make_slot(ctx, run, new, &back.names().back_seed(), PLUGIN).await? {
        return Ok(Polled::Waiting(waiting_for));
    }
    following::prepare(ctx, &back, new, old, &ctx.as_owner(run, old).await?).await?;
    let (on_new, on_old) = tokio::try_join!(ctx.as_work(run, new), ctx.as_work(run, old))?;
    let (published, subscribed) =
        tokio::try_join!(publication::published(&on_new, &stream), publication::subscribed(&on_old, &stream))?;
    if published != subscribed {
        let message = format!(
            "prepare the fail-back path: the new server publishes {} tables, and the old one subscribes to {}",
            published.0, subscribed.0
        );
        return Err(StepError::new(ErrorCode::StatementFailed, message));
    }
    // Last: from here on OPEN asks for it.
    fail_back::keep(&owner, &stream).await?;
    Ok(Polled::Done(NoOutput {}))
}
