//! Drain the source: the target has applied everything that was committed before the fence, and DMS can write no more.
//!
//! Changes:      source (a marker row); target (CONNECT of the DMS login, its sessions; the rows `applied` and `drained`)
//! Repeatable:   yes, while the cutover is undecided; each call writes a marker of its own until one was seen
//! If it dies:   unfence-source applies; a second call writes another marker, unless `applied` says that one was seen and
//!               that what DMS noted until then was read: DMS is shut out only after that
//!
//! OPEN requires the row `drained`. It is written last, when all of this is proven for the state under the fence: the
//! marker arrived, the watch on the source's changes was read to behind the marker and found nothing, DMS noted no error up
//! to the moment when it could write no more, the catalogs and the tables' files are those of the copy, no table of the
//! target was loaded again since it was compared, and nobody but the working login gets into the target.

use std::time::Instant;

use pgleap_contract::steps::{DrainSourceOutput, UnderFence};
use pgleap_pg::{Session, access, dms_notes, marker};
use pgleap_step_kit::unchanged::{refuse_changed_source, reloaded_tables};
use pgleap_step_kit::{Deadline, prelude::*, source_watch};

/// Drain, until the deadline at most.
pub async fn run(ctx: &Ctx, input: UnderFence) -> StepResult<DrainSourceOutput> {
    let deadline = Deadline::of(input.cutover);
    deadline.bound("drain the source", drain(ctx, &input, &deadline)).await
}

/// Prove that the source is as the copy was made from it while its last changes arrive; then shut DMS out.
async fn drain(ctx: &Ctx, input: &UnderFence, deadline: &Deadline) -> StepResult<DrainSourceOutput> {
    let (run, generation) = (&input.run, input.cutover.generation);
    let began = Instant::now();
    let ((), [source, catalogs, target]) = tokio::try_join!(
        pgleap_mark::prove_armed(ctx, run, generation),
        ctx.as_work_until(run, [&input.source, &input.source, &input.target], deadline)
    )?;
    let (source, catalogs, target) = (source?, catalogs?, target?);
    // The last look before the fence was seconds ago, and a migration may have committed since.
    tokio::try_join!(refuse_changed_source(&catalogs), apply(ctx, input, &source, &target, deadline))?;
    shut_out_dms(&target, input, deadline).await?;
    refuse_noted_errors(&target).await?;
    if let Some(reloaded) = reloaded_tables(&target).await? {
        return Err(StepError::new(ErrorCode::DrainFailed, reloaded));
    }
    marker::note(&target, "drained", generation).await?;
    Ok(DrainSourceOutput { milliseconds: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX) })
}

/// Everything that was committed before the fence is on the target.
async fn apply(
    ctx: &Ctx,
    input: &UnderFence,
    source: &Session,
    target: &Session,
    deadline: &Deadline,
) -> StepResult<()> {
    let names = input.run.id.names();
    if marker::is_noted(target, "applied", input.cutover.generation).await? {
        return Ok(()); // DMS may be shut out already
    }
    let secret = names.dms_target_secret();
    let id = marker::write(source, "drain").await?;
    // The marker's commit is on disk, and with it every commit before the fence: the watch is read to behind it.
    let (dms, (), ()) = tokio::try_join!(
        ctx.connect(&input.run, &input.target, &secret),
        await_marker(target, &id, deadline),
        source_watch::read_to_the_end(source, &input.run, deadline)
    )?;
    // Control tables belong to DMS's login, which is shut out before they are read for the last time.
    dms_notes::show_to(&dms, &names.work_login()).await?;
    refuse_noted_errors(target).await?;
    Ok(marker::note(target, "applied", input.cutover.generation).await?)
}

async fn await_marker(target: &Session, id: &str, deadline: &Deadline) -> StepResult<()> {
    while !marker::has(target, id).await? {
        deadline.pause("drain the source", "the marker has not arrived").await?;
    }
    Ok(())
}

/// A suspended table stops alone and the marker passes it, so what DMS noted is read after the marker was seen, and once
/// more when DMS can note nothing any more.
async fn refuse_noted_errors(reader: &Session) -> StepResult<()> {
    let noted = dms_notes::read(reader).await?;
    if noted.is_empty() {
        return Ok(());
    }
    Err(StepError::new(ErrorCode::DrainFailed, format!("read what DMS noted: {}", noted.join("; "))))
}

async fn shut_out_dms(target: &Session, input: &UnderFence, deadline: &Deadline) -> StepResult<()> {
    let work = input.run.id.names().work_login();
    let keep = [work.as_str()];
    access::shut(target, &input.cutover, &keep).await?;
    let mut starting_at_first = None;
    loop {
        access::end_others(target, &keep).await?;
        let others = access::others(target, &keep).await?.started_before(&mut starting_at_first);
        if others.none() {
            return Ok(());
        }
        deadline.pause("shut DMS out of the target", &format!("{others:?}")).await?;
    }
}
