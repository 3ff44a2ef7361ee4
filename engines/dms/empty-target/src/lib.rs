//! Empty the target for DMS: set aside what DMS would fail on, empty the tables, and plan what is created again later.
//!
//! Changes:      target (triggers, foreign keys, secondary indexes, NOT NULL and checks of large columns, identity, rows,
//!               rights of the copy login; the plan in schema `pgleap`), AWS (the secret with which DMS reaches the target)
//! Repeatable:   yes; the plan is made once, in one transaction and before anything changes, and each of its chores
//!               commits together with the note that it is done
//! If it dies:   the worker on the server goes on; the next look finds what is left

pub mod path;
pub mod plan;
mod secret;
mod selection;

use dms_databases::notes;
use pgleap_contract::steps::{EmptyTargetOutput, OnBoth};
use pgleap_pg::chores::Phase;
use pgleap_pg::{PgErrorKind, Session};
use pgleap_step_kit::chores::{OnFailure, work_off};
use pgleap_step_kit::prelude::*;

/// One worker: the chores are short, and two would wait for each other's locks on foreign keys.
const WORKERS: i64 = 1;

/// Plan once, let the server work, then say what DMS is to carry.
pub async fn run(ctx: &Ctx, input: OnBoth) -> StepResult<Polled<EmptyTargetOutput>> {
    let run = &input.run;
    secret::ensure(ctx, run, &input.target).await?;
    let target = ctx.as_target_owner(run, &input.target).await?;
    let source = ctx.as_owner(run, &input.source).await?;
    refuse_to_empty_a_source(&source, &target).await?;
    let dms = ctx.connect(run, &input.target, &run.names().copy_target_secret()).await?;
    path::give(&dms, &target).await?;
    let replica_role = may_set_replica_role(&dms).await?;
    plan::make(&target, run, replica_role).await?;

    let look = work_off(ctx, run, &input.target, &target, Phase::Prepare, WORKERS, OnFailure::Stop).await?;
    if let Polled::Waiting(waiting_for) = look {
        return Ok(Polled::Waiting(waiting_for));
    }
    let owner = ctx.login(&run.source.login_secret).await?.username;
    notes::show_to(&dms, &[&run.names().work_login(), &owner]).await?;
    let selection = selection::read(&target, replica_role).await?;
    Ok(Polled::Done(EmptyTargetOutput { selection }))
}

/// What follows empties every table: never again what is not the upgraded copy.
async fn refuse_to_empty_a_source(source: &Session, target: &Session) -> StepResult<()> {
    let (from, to) = (source.major().await?, target.major().await?);
    let opened = "SELECT EXISTS (SELECT FROM pgleap.outcome WHERE outcome IS NOT NULL)";
    let decided: bool = target.row("check whether the target is open", opened, &[]).await?.get(0);
    if to <= from || decided {
        let reason = format!(
            "empty target: it has version {to}, the source has {from}, outcome decided: {decided}; it is not emptied"
        );
        return Err(StepError::new(ErrorCode::InstanceFailed, reason));
    }
    Ok(())
}

/// Tried, not deduced: on RDS it hangs on a role and on the major.
async fn may_set_replica_role(dms: &Session) -> StepResult<bool> {
    match dms.run("set the replica role", "SET session_replication_role = replica").await {
        Ok(()) => Ok(true),
        Err(error) if error.kind == PgErrorKind::Denied => Ok(false),
        Err(error) => Err(error.into()),
    }
}
