//! Drain the source: the target has applied everything that was committed before the fence, and DMS can write no more.
//!
//! Changes:      source (a marker row); target (CONNECT of the DMS login, its sessions)
//! Repeatable:   yes; each call writes a marker of its own
//! Undo:         none needed: on the way back the target is deleted
//! If it dies:   unfence-source applies; a second call writes another marker, unless DMS is shut out already, which
//!               only happens after a marker was seen: then the target has it
//! Fails with:   DrainFailed (a table was suspended, or a change was not applied), DeadlinePassed

use std::time::Instant;

use pgleap_contract::steps::{DrainSourceOutput, UnderFence};
use pgleap_pg::{Session, access};
use pgleap_step_kit::{Deadline, prelude::*};

/// Write the marker, wait until the target has it, read what DMS noted, shut DMS out, prove it.
pub async fn run(ctx: &Ctx, input: UnderFence) -> StepResult<DrainSourceOutput> {
    let deadline = Deadline::of(input.cutover);
    let names = input.run.id.names();
    let began = Instant::now();
    let (source, target) =
        tokio::try_join!(ctx.as_work(&input.run, &input.source), ctx.as_work(&input.run, &input.target))?;
    if !is_drained(&target).await? {
        // The control tables belong to DMS's login, which may still connect.
        let noted = ctx.connect(&input.run, &input.target, &names.dms_target_secret()).await?;
        let marker = write_marker(&source).await?;
        await_marker(&target, &marker, &deadline).await?;
        refuse_noted_errors(&noted).await?;
    }
    shut_out_dms(&target, &names.work_login(), &deadline).await?;
    Ok(DrainSourceOutput { milliseconds: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX) })
}

/// DMS may not connect any more: an earlier call has seen its marker.
async fn is_drained(target: &Session) -> StepResult<bool> {
    let sql = "SELECT EXISTS (SELECT FROM pgleap.marker WHERE kind = 'drained')";
    Ok(target.row("read the markers", sql, &[]).await?.get(0))
}

async fn write_marker(source: &Session) -> StepResult<String> {
    let sql = "INSERT INTO pgleap.marker (id, kind) VALUES (gen_random_uuid(), 'drain') RETURNING id::text";
    Ok(source.row("write the marker", sql, &[]).await?.get(0))
}

async fn await_marker(target: &Session, marker: &str, deadline: &Deadline) -> StepResult<()> {
    let sql = "SELECT EXISTS (SELECT FROM pgleap.marker WHERE id = $1::text::uuid)";
    while !target.row("look for the marker", sql, &[&marker]).await?.get::<_, bool>(0) {
        deadline.pause("drain the source", "the marker has not arrived").await?;
    }
    Ok(())
}

/// A suspended table stops alone and the marker passes it, so what DMS noted is read after the marker was seen.
async fn refuse_noted_errors(dms: &Session) -> StepResult<()> {
    let noted = pgleap_pg::dms_notes::read(dms).await?;
    if noted.is_empty() {
        return Ok(());
    }
    Err(StepError::new(ErrorCode::DrainFailed, format!("read what DMS noted: {}", noted.join("; "))))
}

async fn shut_out_dms(target: &Session, work: &str, deadline: &Deadline) -> StepResult<()> {
    let keep = [work];
    let drained = "INSERT INTO pgleap.marker (id, kind) SELECT gen_random_uuid(), 'drained'
                   WHERE NOT EXISTS (SELECT FROM pgleap.marker WHERE kind = 'drained')";
    target.run("note that the source is drained", drained).await?;
    access::shut(target, &keep).await?;
    loop {
        access::end_others(target, &keep).await?;
        let others = access::others(target, &keep).await?;
        if others.none() {
            return Ok(());
        }
        deadline.pause("shut DMS out of the target", &format!("{others:?}")).await?;
    }
}
