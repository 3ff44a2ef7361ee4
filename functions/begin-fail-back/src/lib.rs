//! Begin to fail back: raise the number of the cutover on both sides, the new server first, so that calls and recoveries of the
//! upgrade are refused from here on.
//!
//! Changes:      source (the new server) and target (the old one): a row in `pgleap.outcome`
//! Repeatable:   yes; an execution begins one cutover
//! If it dies:   called again; what one side has, the other gets. The recovery decides a cutover that was begun and no more

use pgleap_contract::Generation;
use pgleap_contract::steps::{BeginFailBackInput, BeginFailBackOutput};
use pgleap_pg::{fail_back, fingerprint};
use pgleap_step_kit::prelude::*;

/// Begin, or answer what was begun.
pub async fn run(ctx: &Ctx, input: BeginFailBackInput) -> StepResult<BeginFailBackOutput> {
    let (run, who) = (&input.run, input.run.execution_arn.as_str());
    if input.only_find {
        return Ok(BeginFailBackOutput { generation: find(ctx, &input).await? });
    }
    let (new, old) = tokio::try_join!(ctx.as_work(run, &input.source), ctx.as_work(run, &input.target))?;
    let generation = match fail_back::begun_by(&new, who).await? {
        Some(begun) => begun,
        None => {
            let (on_new, on_old) = tokio::try_join!(fail_back::current(&new), fail_back::current(&old))?;
            on_new.max(on_old).next()
        }
    };
    fail_back::begin(&new, generation, who).await?;
    fail_back::begin(&old, generation, who).await?;
    if !input.accept.is_empty() {
        let owner = ctx.as_target_owner(run, &input.source).await?;
        fingerprint::accept_changes(&owner).await?;
        fingerprint::take_new_server(&owner).await?;
    }
    Ok(BeginFailBackOutput { generation: Some(generation) })
}

/// The new server is asked first, where it begins; the old one where that is gone.
async fn find(ctx: &Ctx, input: &BeginFailBackInput) -> StepResult<Option<Generation>> {
    let who = &input.run.execution_arn;
    let mut refused = None;
    for server in [&input.source, &input.target] {
        let found = async {
            let session = ctx.as_work(&input.run, server).await?;
            StepResult::Ok(fail_back::begun_by(&session, who).await?)
        };
        match found.await {
            Ok(Some(generation)) => return Ok(Some(generation)),
            Ok(None) => {}
            Err(error) => refused = Some(error),
        }
    }
    refused.map_or(Ok(None), Err)
}
