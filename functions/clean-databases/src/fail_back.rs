//! What the fail-back path changes about the clean-up.

use native_databases::following;
use pgleap_contract::Outcome;
use pgleap_contract::steps::{CleanDatabasesInput, NoOutput};
use pgleap_pg::{access, fail_back};
use pgleap_step_kit::prelude::*;

/// Failing back has failed and the new server serves: the old one follows again, and the path stays open. The cutover is
/// decided on both sides, also where the rollback had nothing to decide because it was never armed.
pub(crate) async fn follow_again(ctx: &Ctx, input: &CleanDatabasesInput) -> StepResult<Polled<NoOutput>> {
    let Some(server) = &input.target else { return Ok(Polled::Done(NoOutput {})) };
    let new = ctx.as_work(&input.run, &input.source).await?;
    let old = ctx.as_work(&input.run, server).await?;
    for side in [&new, &old] {
        if access::claim(side, input.generation, Outcome::Back).await? == Outcome::Open {
            let message = "follow again: the old server may be open, so failing back has not failed";
            return Err(StepError::new(ErrorCode::UnfenceUnsafe, message));
        }
    }
    following::follow(&old).await?;
    Ok(match following::is_running(&old, &input.run).await? {
        true => Polled::Done(NoOutput {}),
        false => Polled::Waiting("the old server is about to connect to the new one".to_owned()),
    })
}

/// The old server is not retired while it still follows: by a run that is finished twice, say.
pub(crate) async fn refuse_open(ctx: &Ctx, input: &CleanDatabasesInput) -> StepResult<()> {
    let Some(target) = input.target.as_ref().filter(|_| input.run.keeps_fail_back()) else { return Ok(()) };
    let kept = match ctx.as_work(&input.run, target).await {
        Ok(new) => fail_back::look(&new).await?,
        // The target was cleaned before.
        Err(error) if [ErrorCode::SecretUnusable, ErrorCode::DatabaseDenied].contains(&error.code) => None,
        Err(error) => return Err(error),
    };
    match kept {
        Some(kept) if !kept.is_closed => {
            let message = "clean the databases: the fail-back path is open; close it first";
            Err(StepError::new(ErrorCode::AlreadyBack, message))
        }
        _ => Ok(()),
    }
}
