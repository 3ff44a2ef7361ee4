//! Subscribe the target: it is to follow the source from the position at which the snapshot ends.
//!
//! Changes:      target (triggers and rules that would act on what is applied, functions in schema `pgleap`, the subscription, its
//!               position), not the rows yet
//! Repeatable:   yes; a subscription that is there is only proven
//! If it dies:   subscription and position are one transaction: both are there, or neither
//!
//! The position is read back, and the source's slot must not have moved behind it: the source would send from there on without
//! a word.

use native_databases::{publication, subscription};
use pgleap_contract::steps::{NoOutput, SubscribeTargetInput};
use pgleap_pg::chores::Phase;
use pgleap_pg::{Lsn, slot};
use pgleap_step_kit::chores::{OnFailure, work_off};
use pgleap_step_kit::prelude::*;
use pgleap_step_kit::wal::refuse_too_much_wal;

/// One worker: the chores are short.
const WORKERS: i64 = 1;

/// Set aside, create, prove.
pub async fn run(ctx: &Ctx, input: SubscribeTargetInput) -> StepResult<Polled<NoOutput>> {
    let run = &input.run;
    let (names, stream) = (run.names(), run.names().copy_stream());
    let start: Lsn = input.start.parse().map_err(|error| StepError::bug(format!("subscribe target: {error}")))?;
    let (target, source) = tokio::try_join!(ctx.as_target_owner(run, &input.target), ctx.as_work(run, &input.source))?;
    refuse_too_much_wal(&source, &input.source, &run.limits).await?;
    refuse_lost(&slot::look(&source, &stream).await?)?;
    let look = work_off(ctx, run, &input.target, &target, Phase::Prepare, WORKERS, OnFailure::Stop).await?;
    if let Polled::Waiting(waiting_for) = look {
        return Ok(Polled::Waiting(waiting_for));
    }
    subscription::install(&target, run).await?;
    if subscription::look(&target, &stream).await?.is_none() {
        let login = ctx.login(&names.copy_source_secret()).await?;
        subscription::create(&target, run, &input.source, &login, Some(start)).await?;
    }
    subscription::hand_over(&ctx.connect(run, &input.target, &names.copy_source_secret()).await?, names).await?;
    let state = subscription::look(&target, &stream).await?;
    let applied = state.and_then(|state| state.applied);
    if state.is_some_and(|state| !state.enabled) && applied != Some(start) {
        return wrong(format!("the subscription is at {}, not at {start}", shown(applied)));
    }
    let slot = slot::look(&source, &stream).await?;
    refuse_lost(&slot)?;
    if state.is_some_and(|state| !state.enabled) && slot.confirmed.is_none_or(|confirmed| confirmed > start) {
        return wrong(format!(
            "the source's replication slot is at {}, after the start {start}: it would not send the changes in between",
            shown(slot.confirmed)
        ));
    }
    let (published, subscribed) =
        tokio::try_join!(publication::published(&source, &stream), publication::subscribed(&target, &stream))?;
    if published != subscribed {
        return wrong(format!(
            "the source publishes {} tables, and the target subscribes to {}",
            published.0, subscribed.0
        ));
    }
    Ok(Polled::Done(NoOutput {}))
}

/// Without the slot the source does not send what the copy lacks.
fn refuse_lost(slot: &slot::State) -> StepResult<()> {
    match slot {
        slot::State { exists: false, .. } => wrong("the source no longer has the run's replication slot".to_owned()),
        slot::State { is_lost: true, .. } => {
            wrong("the source no longer keeps WAL for the run's replication slot".to_owned())
        }
        _ => Ok(()),
    }
}

fn wrong<T>(reason: String) -> StepResult<T> {
    Err(StepError::new(ErrorCode::ReplicationFailed, format!("subscribe target: {reason}")))
}

fn shown(lsn: Option<Lsn>) -> String {
    lsn.map_or_else(|| "no position".to_owned(), |lsn| lsn.to_string())
}
