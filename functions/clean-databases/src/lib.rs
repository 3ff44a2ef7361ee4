//! Remove what the run left in the databases: its logins with all their grants, its schema, and its slots.
//!
//! Changes:      back: source (slots, publication, replica identities as before, schema, logins); where failing back has failed,
//!               only that the old server follows again;
//!               open: source (the same; the owner gets in again, read-only; it stays closed to everybody else), then
//!               target (subscription, schemas, logins)
//! Repeatable:   yes; what is gone is gone, and what belongs to another run is left
//! If it dies:   called again; what is left is found by name
//!
//! The target last, and on each side the outcome of the cutover at the very end. What was cleaned half is finished by a
//! later call, however long one side was unreachable: the mark, which goes after this step, says how the cutover ended.

mod fail_back;
mod leftovers;

use pgleap_contract::Outcome;
use pgleap_contract::steps::{CleanDatabasesInput, NoOutput};
use pgleap_pg::{Session, access, slot};
use pgleap_step_kit::prelude::*;

use leftovers::Side;

/// Clean the source, then the target if it stays.
pub async fn run(ctx: &Ctx, input: CleanDatabasesInput) -> StepResult<Polled<NoOutput>> {
    let run = &input.run;
    let mark = pgleap_mark::read(ctx, run, input.generation).await?;
    pgleap_mark::refuse_contradiction(mark.as_ref(), input.outcome)?;
    // Its secret is the first thing that a run makes and the last that it deletes: without it there is nothing to clean,
    // and a run that was stopped in preflight by a wrong login needs none.
    if ctx.find_secret(&run.names().work_secret()).await?.is_none() {
        return Ok(Polled::Done(NoOutput {}));
    }
    if input.outcome == Outcome::Back && !run.purpose.is_upgrade() {
        return fail_back::follow_again(ctx, &input).await;
    }
    drop_own_slots(ctx, &input).await?;
    if input.outcome == Outcome::Back {
        let owner = ctx.as_owner(run, &input.source).await?;
        return leftovers::remove(&owner, run, Side::ServingSource).await;
    }
    fail_back::refuse_open(ctx, &input).await?;
    let_owner_in(ctx, &input).await?;
    let owner = match run.purpose.is_upgrade() {
        true => ctx.as_owner(run, &input.source).await?,
        false => ctx.as_target_owner(run, &input.source).await?,
    };
    let source = leftovers::remove(&owner, run, Side::RetiredSource).await?;
    match (source, &input.target) {
        (Polled::Done(_), Some(target)) => {
            let owner = ctx.as_target_owner(run, target).await?;
            leftovers::remove(&owner, run, Side::Target).await
        }
        (source, _) => Ok(source),
    }
}

/// By the login that made them: the owner may not drop a slot unless it may replicate. A run whose login is gone, or was never
/// made, has no slot any more, or the owner drops it in its turn.
async fn drop_own_slots(ctx: &Ctx, input: &CleanDatabasesInput) -> StepResult<()> {
    let names = input.run.names();
    match ctx.as_work(&input.run, &input.source).await {
        Ok(session) => {
            slot::drop(&session, &names.watch_slot()).await?;
            slot::drop(&session, &names.back_seed()).await?;
            Ok(slot::end_and_drop(&session, &names.copy_stream()).await?)
        }
        Err(error) if [ErrorCode::SecretUnusable, ErrorCode::DatabaseDenied].contains(&error.code) => Ok(()),
        Err(error) => Err(error),
    }
}

/// The fence kept the owner out too; from here on it keeps out everybody else. Done before where the working login or the
/// functions are gone: the owner, who comes next, must get in.
async fn let_owner_in(ctx: &Ctx, input: &CleanDatabasesInput) -> StepResult<()> {
    match ctx.as_work(&input.run, &input.source).await {
        Ok(work) if is_installed(&work).await? => Ok(access::retire(&work, input.generation).await?),
        Ok(_cleaned) => Ok(()),
        Err(error) if error.code == ErrorCode::DatabaseDenied => Ok(()),
        Err(error) => Err(error),
    }
}

async fn is_installed(work: &Session) -> StepResult<bool> {
    let sql = "SELECT to_regprocedure('pgleap.retire(int)') IS NOT NULL";
    Ok(work.row("look for the functions of the fence", sql, &[]).await?.get(0))
}
