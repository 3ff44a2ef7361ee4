//! Complete the target under the fence: set the sequences and identity columns, create the constraints that the copy
//! engine could not keep, restore the triggers, and refresh the materialized views that fit into the time. Clients wait
//! meanwhile, so nothing here scans a table.
//!
//! Changes:      target (sequences, and what prepare-target planned for this moment)
//! Repeatable:   yes, while the cutover is undecided; each chore commits together with the note that it is done, a sequence
//!               gets the same value again and never a lower one
//! If it dies:   called again, or unfence-source applies

mod set_ahead;

use std::time::{Duration, Instant};

use pgleap_contract::Cutover;
use pgleap_contract::steps::{CompleteTargetOutput, UnderFence};
use pgleap_pg::chores::{self, Phase};
use pgleap_pg::sequences::{self, Ahead};
use pgleap_pg::{PgErrorKind, Session, fail_back};
use pgleap_step_kit::{Deadline, WarmUp, prelude::*};

/// Chores of one transaction. Each holds a handful of locks, of which a small instance has some thousands.
const CHUNK: i32 = 200;
/// What refreshing views may take at most, measured or not; they follow after OPEN.
const LONGEST_REFRESH: Duration = Duration::from_secs(2);

/// Open the sessions, and put the sequences where they stand now: under the fence only those that moved since follow.
pub async fn prepare(ctx: &Ctx, cutover: WarmUp) -> StepResult<()> {
    let WarmUp { run, source, target, generation } = &cutover;
    set_ahead::forget();
    let [on_source, on_target] = ctx.open_ahead(run, [source, target]).await?;
    let values = sequences::read(&on_source).await?;
    let soon = Cutover { generation: *generation, deadline_epoch_ms: set_ahead::soon() };
    sequences::set(&on_target, &soon, &values).await?;
    let ahead = Ahead { source: values, target: sequences::read(&on_target).await? };
    set_ahead::remember(run, ahead);
    ctx.keep_sessions(run, [(source, on_source), (target, on_target)]);
    Ok(())
}

/// Complete, until the deadline at most.
pub async fn run(ctx: &Ctx, input: UnderFence) -> StepResult<CompleteTargetOutput> {
    let deadline = Deadline::of(input.cutover);
    deadline.bound("complete the target", complete_all(ctx, &input, &deadline)).await
}

/// Objects first, for they can fail; then sequences; then, in what time is left, views.
async fn complete_all(ctx: &Ctx, input: &UnderFence, deadline: &Deadline) -> StepResult<CompleteTargetOutput> {
    let began = Instant::now();
    let [source, target] = ctx.as_work_until(&input.run, [&input.source, &input.target], deadline).await?;
    let (source, target) = (source?, target?);
    let connected = began.elapsed();
    let (values, on_target, objects) =
        tokio::try_join!(read_sequences(&source), read_sequences(&target), complete(&input.run, &target, deadline))?;
    let completed = began.elapsed();
    let moved = values.to_set(&on_target, &set_ahead::recall(&input.run));
    sequences::set(&target, &input.cutover, &moved).await?;
    let sequences = values.len() as u64;
    let set = began.elapsed();
    let views = match input.run.purpose.is_upgrade() {
        true => refresh(&target, deadline).await?,
        false => 0,
    };
    tracing::info!(?connected, ?completed, ?set, refreshed = ?began.elapsed(), objects, sequences, moved = moved.len(), views, "completed; times since the call");
    deadline.check("complete the target")?;
    Ok(CompleteTargetOutput {
        sequences,
        objects: objects + views,
        milliseconds: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
    })
}

async fn read_sequences(side: &Session) -> StepResult<sequences::Values> {
    Ok(sequences::read(side).await?)
}

/// A lock that somebody holds is tried for again until the deadline: autovacuum lets go when it is asked to.
async fn complete(run: &Run, target: &Session, deadline: &Deadline) -> StepResult<u64> {
    if !run.purpose.is_upgrade() {
        // The old server has everything that it ever had, but for triggers that were switched off while it followed.
        fail_back::restore_triggers(target).await?;
        return Ok(0);
    }
    let mut count = 0;
    loop {
        match chores::complete(target, Phase::Complete, CHUNK).await {
            Ok((done, remaining)) => {
                count += done.unsigned_abs();
                if remaining == 0 {
                    return Ok(count);
                }
                deadline.check("complete the target")?;
            }
            Err(error) if error.kind == PgErrorKind::Busy => {
                deadline.pause("complete the target", &error.to_string()).await?;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// A view that does not make it is no reason to go back: settle-target refreshes it.
async fn refresh(target: &Session, deadline: &Deadline) -> StepResult<u64> {
    let began = Instant::now();
    let mut count = 0;
    loop {
        let left = LONGEST_REFRESH.saturating_sub(began.elapsed()).min(deadline.remaining() / 2);
        if left.is_zero() {
            return Ok(count);
        }
        limit(target, "statement_timeout", left).await?;
        match chores::complete(target, Phase::Refresh, 1).await {
            Ok((done, remaining)) => {
                count += done.unsigned_abs();
                if remaining == 0 {
                    return Ok(count);
                }
            }
            Err(error) if error.kind == PgErrorKind::Unreachable => return Err(error.into()),
            Err(error) => {
                tracing::warn!(%error, "materialized views will be refreshed after OPEN");
                return Ok(count);
            }
        }
    }
}

async fn limit(session: &Session, setting: &str, duration: Duration) -> StepResult<()> {
    let milliseconds = duration.as_millis().max(1);
    Ok(session.run(&format!("set {setting}"), &format!("SET {setting} = {milliseconds}")).await?)
}
