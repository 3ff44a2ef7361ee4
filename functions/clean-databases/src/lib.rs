//! Remove what the run left in the databases: its logins with all their grants, its schema, its slots.
//!
//! Changes:      back: source (replica identities as before, slots, schema, logins);
//!               open: target (schemas, logins) and source (the same; the owner gets in again, read-only; it stays
//!               closed to everybody else)
//! Repeatable:   yes; what is gone is gone, and what belongs to another run is left
//! Undo:         none
//! If it dies:   called again; what is left is found by name
//! Fails with:   DatabaseDenied, StatementFailed (with the server's words)

mod leftovers;

use pgleap_contract::Outcome;
use pgleap_contract::steps::{CleanDatabasesInput, Look};
use pgleap_pg::access;
use pgleap_step_kit::prelude::*;

use leftovers::Side;

/// Clean the target if it stays, then the source.
pub async fn run(ctx: &Ctx, input: CleanDatabasesInput) -> StepResult<Look> {
    let run = &input.run.id;
    if let (Outcome::Open, Some(target)) = (input.outcome, &input.target) {
        let owner = ctx.as_owner(&input.run, target).await?;
        leftovers::remove(&owner, run, Side::Target).await?;
    }
    if input.outcome == Outcome::Open {
        let_owner_in(ctx, &input).await?;
    }
    let owner = ctx.as_owner(&input.run, &input.source).await?;
    let side = if input.outcome == Outcome::Open { Side::RetiredSource } else { Side::ServingSource };
    leftovers::remove(&owner, run, side).await
}

/// The fence kept the owner out too; from here on it keeps out everybody else. Done before if the working login or
/// its secret is gone.
async fn let_owner_in(ctx: &Ctx, input: &CleanDatabasesInput) -> StepResult<()> {
    match ctx.as_work(&input.run, &input.source).await {
        Ok(work) => match access::retire(&work).await {
            // Undefined function, invalid schema: the schema is gone already, and so is the fence's need of it.
            Err(error) if error.state.as_ref().is_some_and(|state| ["42883", "3F000"].contains(&state.code())) => {
                Ok(())
            }
            outcome => Ok(outcome?),
        },
        Err(error) if [ErrorCode::SecretUnusable, ErrorCode::DatabaseDenied].contains(&error.code) => Ok(()),
        Err(error) => Err(error),
    }
}
