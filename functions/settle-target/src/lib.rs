//! Settle the target after OPEN, while clients work: constraints validated, NOT NULL made the columns' own again,
//! partitioned foreign keys adopted, the remaining materialized views refreshed, until the catalogs are as the source's.
//!
//! Changes:      target (constraints, materialized views, replica identities)
//! Repeatable:   yes; each chore commits together with the note that it is done
//! Undo:         none: after OPEN the run only goes forward
//! If it dies:   the workers on the server go on; the next look finds what is left
//! Fails with:   StatementFailed (final; the object and the server's words: a person decides), DatabaseUnreachable,
//!               DatabaseDenied (retried by hand)

use pgleap_contract::steps::{Look, OnBoth};
use pgleap_pg::chores::Phase;
use pgleap_step_kit::chores::work_off;
use pgleap_step_kit::prelude::*;

/// Few, because clients work at the same time.
const WORKERS: i64 = 2;

/// Let the server work. A recovery may come here again after the target was cleaned, which happens only once it is settled.
pub async fn run(ctx: &Ctx, input: OnBoth) -> StepResult<Look> {
    let target = ctx.as_owner(&input.run, &input.target).await?;
    let is_planned = "SELECT to_regclass('pgleap.chore') IS NOT NULL";
    if !target.row("look for deferred jobs", is_planned, &[]).await?.get::<_, bool>(0) {
        return Ok(Look::done());
    }
    work_off(ctx, &input.run, &input.target, &target, Phase::Settle, WORKERS).await
}
