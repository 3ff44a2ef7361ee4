//! Find the start: the position in the source's WAL at which the snapshot ends. The copy lacks what follows from there
//! on.
//!
//! Changes:      source (a marker row)
//! Repeatable:   yes; it only reads
//! If it dies:   called again
//!
//! The copy carries the run's replication slot, and its WAL is the source's up to where the snapshot was taken. So both
//! servers are asked which transactions their slot would send: those that both name are what the copy has (`decide`). A
//! position too early would send rows twice, one too late would lose them without an error, so nothing is guessed.

mod commits;
mod decide;
mod reach;
mod witnesses;

use native_databases::publication;
use pgleap_contract::steps::{FindStartOutput, OnBoth};
use pgleap_pg::{Lsn, Session, marker, slot};
use pgleap_step_kit::prelude::*;
use pgleap_step_kit::wal::refuse_too_much_wal;

use decide::Seen;

/// How far behind the copy's end the source's slot is read: the next transaction after the copy's last is in it, or there is none
/// for so long.
const BEHIND_BYTES: u64 = 16 << 20;

/// Ask both, decide.
pub async fn run(ctx: &Ctx, input: OnBoth) -> StepResult<Polled<FindStartOutput>> {
    let run = &input.run;
    let stream = run.names().copy_stream();
    let copy = match ctx.as_work(run, &input.target).await {
        Ok(session) => session,
        // The first start after a restore recovers; a new name takes a moment to resolve.
        Err(error) if error.code == ErrorCode::DatabaseUnreachable => return Ok(Polled::Waiting(error.message)),
        Err(error) => return Err(error),
    };
    let source = ctx.as_work(run, &input.source).await?;
    refuse_too_much_wal(&source, &input.source, &run.limits).await?;
    refuse_other_tables(&source, &copy, &stream).await?;
    let owner = ctx.as_target_owner(run, &input.target).await?;
    reach::prove(&owner, &input.source, &ctx.login(&run.names().copy_source_secret()).await?).await?;
    let begins = confirmed(&copy, &stream).await?;
    let witnesses = witnesses::ask(&owner).await?;
    let of_copy = commits::read(&copy, &stream, None).await?;

    let last = of_copy.last().map_or(begins, |commit| commit.end);
    let upto =
        Lsn(witnesses.iter().map(|witness| witness.lsn.0).chain([last.0]).max().unwrap_or(last.0) + BEHIND_BYTES);
    marker::write(&source, "after-snapshot").await?;
    let upto = upto.min(written(&source).await?);
    let of_source = commits::read(&source, &stream, Some(upto)).await?;
    let seen = Seen { begins, upto, copy: of_copy, source: of_source, witnesses };
    let start = decide::decide(&seen).map_err(|reason| StepError::new(ErrorCode::ReplicationFailed, reason))?;
    tracing::info!(start = %start.lsn, witness = start.witness, agreed = start.agreed, "start of the changes");
    Ok(Polled::Done(FindStartOutput {
        start: start.lsn.to_string(),
        witness: start.witness.to_owned(),
        agreed: u64::try_from(start.agreed).unwrap_or(u64::MAX),
    }))
}

/// The publication came with the snapshot. A table that was added or removed since was not part of it.
async fn refuse_other_tables(source: &Session, copy: &Session, stream: &str) -> StepResult<()> {
    if publication::published(source, stream).await? == publication::published(copy, stream).await? {
        return Ok(());
    }
    let message =
        "find the start: the source and the copy publish different tables; somebody changed the run's publication";
    Err(StepError::new(ErrorCode::ReplicationFailed, message))
}

async fn confirmed(copy: &Session, stream: &str) -> StepResult<Lsn> {
    let missing =
        "find the start: the run's replication slot does not exist on the copy, so the end of the snapshot is unknown";
    let state = slot::look(copy, stream).await?;
    state.confirmed.ok_or_else(|| StepError::new(ErrorCode::ReplicationFailed, missing))
}

async fn written(source: &Session) -> StepResult<Lsn> {
    let row = source.row("read the source's position", "SELECT pg_current_wal_flush_lsn()::text", &[]).await?;
    row.get::<_, &str>(0).parse().map_err(|error| StepError::bug(format!("read the source's position: {error}")))
}
