//! Follow the target: from here on the old server, behind its fence, receives what is written to the new one.
//!
//! Changes:      source (slots of the forward direction; rights of the login that follows; the subscription is switched on);
//!               target (the subscription of the forward direction, the copy login may no longer log in, the slot that was only
//!               moved; its catalogs are remembered)
//! Repeatable:   yes; catalogs that were remembered stay remembered
//! If it dies:   called again; until the old server follows, the new one keeps everything for it

use std::time::Duration;

use native_databases::following;
use pgleap_contract::steps::{NoOutput, OnBoth};
use pgleap_pg::{Session, access, fingerprint, ident, slot};
use pgleap_step_kit::prelude::*;

/// Between two looks at sessions that are told to end; the function's own limit ends the wait.
const INTERVAL: Duration = Duration::from_millis(50);

/// End the forward direction on both sides, then let the old server follow.
pub async fn run(ctx: &Ctx, input: OnBoth) -> StepResult<Polled<NoOutput>> {
    let (run, names) = (&input.run, input.run.names());
    let back = run.failing_back(&run.execution_arn);
    let (old, new) = tokio::try_join!(ctx.as_work(run, &input.source), ctx.as_work(run, &input.target))?;
    // Nothing reads these any more, and they would keep the old server's WAL.
    for forward in [names.copy_stream(), names.watch_slot()] {
        slot::end_and_drop(&old, &forward).await?;
    }
    following::forget(&new).await?;
    let owner = ctx.as_target_owner(run, &input.target).await?;
    shut_out_engine(&owner, &new, &names.copy_login()).await?;
    following::follow(&old).await?;
    slot::drop(&new, &names.back_seed()).await?;
    fingerprint::take_new_server(&owner).await?;
    if !following::is_running(&old, &back).await? {
        return Ok(Polled::Waiting("the old server is about to connect to the new one".to_owned()));
    }
    let problems = native_databases::problems(&back, &new, &old).await?;
    if !problems.is_empty() {
        // The target serves, and the watch says what is wrong with the fail-back path.
        tracing::warn!(problems = problems.join("; "), "the fail-back path is not good");
    }
    Ok(Polled::Done(NoOutput {}))
}

/// A copy engine that still runs would return to the new server what the old one receives from it. Since OPEN nothing else keeps
/// it out: PUBLIC may connect. Sessions that are starting may have passed the check of the login, so they are waited for.
async fn shut_out_engine(owner: &Session, new: &Session, login: &str) -> StepResult<()> {
    owner.run("shut the copy engine out of the new server", &format!("ALTER ROLE {} NOLOGIN", ident(login))).await?;
    let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = $1::text::name";
    let mut starting_at_first = None;
    loop {
        let others = access::others(new, &[]).await?.started_before(&mut starting_at_first);
        let left: i64 = new.row("end the copy engine's sessions", end, &[&login]).await?.get(0);
        if left == 0 && others.starting.is_empty() {
            return Ok(());
        }
        tokio::time::sleep(INTERVAL).await;
    }
}
