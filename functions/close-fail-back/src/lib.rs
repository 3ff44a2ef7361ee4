//! Close the fail-back path: the old server stops following, and the new one keeps no WAL for it any more.
//!
//! Changes:      target (the path is closed; its slots), source (the subscription)
//! Repeatable:   yes
//! If it dies:   closed first, so nobody can fail back on half of it; called again
//!
//! The run is the upgrade's: the old server is its source. An old server that is gone or does not answer keeps nobody from closing.

use native_databases::following;
use pgleap_contract::steps::{NoOutput, OnBoth};
use pgleap_pg::{fail_back, slot};
use pgleap_step_kit::prelude::*;

/// Close, then remove what kept the way open.
pub async fn run(ctx: &Ctx, input: OnBoth) -> StepResult<NoOutput> {
    let (run, names) = (&input.run, input.run.names());
    let new = ctx.as_work(run, &input.target).await?;
    fail_back::close(&new).await?;
    match ctx.as_work(run, &input.source).await {
        Ok(old) => {
            following::forget(&old).await?;
            fail_back::restore_triggers(&old).await?;
        }
        Err(error) => {
            tracing::warn!(error = error.to_string(), "the old server does not answer; its subscription stays")
        }
    }
    for name in [names.back_login(), names.back_seed()] {
        slot::end_and_drop(&new, &name).await?;
    }
    Ok(NoOutput {})
}
