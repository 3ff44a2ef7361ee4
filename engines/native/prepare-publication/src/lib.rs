//! Prepare the publication before the snapshot: from its slot on, the source keeps every change, so that the copy,
//! which is created from the snapshot, can follow from wherever the snapshot ends.
//!
//! Changes:      source (publication and replication slot of the run, a marker row)
//! Repeatable:   yes; what is there is left alone, and the slot is never moved
//! If it dies:   called again; the source goes on making the slot by itself

use native_databases::publication;
use pgleap_contract::steps::{NoOutput, OnSource};
use pgleap_pg::marker;
use pgleap_step_kit::prelude::*;
use pgleap_step_kit::source_watch::make_slot;

/// The plugin that comes with PostgreSQL and that a subscription asks for.
const PLUGIN: &str = "pgoutput";

/// The publication first: a slot that is older than it cannot be read with it.
pub async fn run(ctx: &Ctx, input: OnSource) -> StepResult<Polled<NoOutput>> {
    let run = &input.run;
    let stream = run.names().copy_stream();
    let owner = ctx.as_owner(run, &input.source).await?;
    publication::ensure(&owner, run.id.as_str(), &stream).await?;
    if let Some(waiting_for) = make_slot(ctx, run, &input.source, &stream, PLUGIN).await? {
        return Ok(Polled::Waiting(waiting_for));
    }
    // A transaction that both the source and the copy have, however quiet the source is.
    marker::write(&ctx.as_work(run, &input.source).await?, "before-snapshot").await?;
    Ok(Polled::Done(NoOutput {}))
}
