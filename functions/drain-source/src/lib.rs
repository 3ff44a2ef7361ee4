//! Drain the source: prove that the target has applied everything that was committed before the fence, and that the
//! copy engine can no longer write.
//!
//! Changes:      source (a marker row); target (CONNECT of the copy login, its sessions; the rows `applied` and `drained`; where a
//!               fail-back path is kept, the slot from which the old server will follow)
//! Repeatable:   yes, while the cutover is undecided; each call writes a marker of its own until one was seen
//! If it dies:   unfence-source applies; a second call writes another marker, unless `applied` says that one was seen and
//!               that what the engine noted until then was read: it is shut out only after that
//!
//! OPEN requires the row `drained`. It is written last, when all of this is proven for the state under the fence: the
//! engine applied everything up to the marker, the watch on the source's changes was read to behind it and found nothing, the
//! engine noted no error up to the moment when it could write no more, the catalogs and the tables' files are those of the copy, no table of the
//! target was loaded again since it was compared, and nobody but the working login gets into the target.

use std::time::Instant;

use pgleap_contract::steps::{DrainSourceOutput, UnderFence};
use pgleap_pg::{Session, access, fail_back, marker};
use pgleap_step_kit::unchanged::{refuse_changed_source, reloaded_tables};
use pgleap_step_kit::{Deadline, WarmUp, prelude::*, source_watch};

/// Open the sessions, and let the servers load what the proofs need.
pub async fn prepare(ctx: &Ctx, cutover: WarmUp) -> StepResult<()> {
    let WarmUp { run, source, target, .. } = &cutover;
    let work = run.names().work_login();
    let [on_source, catalogs, on_target] = ctx.open_ahead(run, [source, source, target]).await?;
    tokio::try_join!(
        refuse_changed_source(run, &catalogs),
        async { Ok(access::others(&on_target, &[&work]).await?) },
        refuse_problems(run, &on_source, &on_target)
    )?;
    ctx.keep_sessions(run, [(source, on_source), (source, catalogs), (target, on_target)]);
    Ok(())
}

/// Drain, until the deadline at most.
pub async fn run(ctx: &Ctx, input: UnderFence) -> StepResult<DrainSourceOutput> {
    let deadline = Deadline::of(input.cutover);
    deadline.bound("drain the source", drain(ctx, &input, &deadline)).await
}

/// Prove that the source is as the copy was made from it while its last changes arrive; then shut the engine out.
async fn drain(ctx: &Ctx, input: &UnderFence, deadline: &Deadline) -> StepResult<DrainSourceOutput> {
    let (run, generation) = (&input.run, input.cutover.generation);
    let began = Instant::now();
    let ((), [source, catalogs, target]) = tokio::try_join!(
        pgleap_mark::prove_armed(ctx, run, generation),
        ctx.as_work_until(run, [&input.source, &input.source, &input.target], deadline)
    )?;
    let (source, catalogs, target) = (source?, catalogs?, target?);
    // The last look before the fence was seconds ago, and a migration may have committed since.
    tokio::try_join!(refuse_changed_source(run, &catalogs), apply(input, &source, &target, deadline))?;
    pgleap_engines::stop(run, &target, deadline).await?;
    shut_out_engine(&target, input, deadline).await?;
    refuse_problems(run, &source, &target).await?;
    if let Some(reloaded) = reloaded_tables(run, &target).await? {
        return Err(StepError::new(ErrorCode::DrainFailed, reloaded));
    }
    if run.keeps_fail_back() {
        fail_back::seal(&target, &input.cutover, &run.names().back_login(), &run.names().back_seed()).await?;
    }
    marker::note(&target, "drained", generation).await?;
    Ok(DrainSourceOutput { milliseconds: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX) })
}

/// Everything that was committed before the fence is on the target.
async fn apply(input: &UnderFence, source: &Session, target: &Session, deadline: &Deadline) -> StepResult<()> {
    if marker::is_noted(target, "applied", input.cutover.generation).await? {
        return Ok(()); // the engine may be shut out already
    }
    let id = marker::write(source, "drain").await?;
    // The marker's commit is on disk, and with it every commit before the fence: the watch is read to behind it.
    tokio::try_join!(
        pgleap_engines::await_applied(&input.run, source, target, &id, deadline),
        source_watch::read_to_the_end(source, &input.run, deadline)
    )?;
    refuse_problems(&input.run, source, target).await?;
    Ok(marker::note(target, "applied", input.cutover.generation).await?)
}

/// A table may stop alone while the marker passes it, so the engine's problems are read after the marker was seen, and once
/// more when the engine can note nothing any more.
async fn refuse_problems(run: &Run, source: &Session, target: &Session) -> StepResult<()> {
    let problems = pgleap_engines::problems(run, source, target).await?;
    if problems.is_empty() {
        return Ok(());
    }
    Err(StepError::new(ErrorCode::DrainFailed, format!("drain the source: {}", problems.join("; "))))
}

async fn shut_out_engine(target: &Session, input: &UnderFence, deadline: &Deadline) -> StepResult<()> {
    let work = input.run.names().work_login();
    let keep = [work.as_str()];
    access::shut(target, &input.cutover, &keep).await?;
    let mut starting_at_first = None;
    loop {
        access::end_others(target, &keep).await?;
        let others = access::others(target, &keep).await?.started_before(&mut starting_at_first);
        if others.none() {
            return Ok(());
        }
        deadline.pause("shut the copy engine out of the target", &format!("{others:?}")).await?;
    }
}
