//! Restore the clients that do not follow the record: after a rollback, the secrets that applications read name the
//! source, and the operator's hooks are called.
//!
//! Changes:      of each secret a new version, and the label AWSCURRENT; whatever a hook changes
//! Repeatable:   yes; a version that this step made and that names the source is left alone; a hook must be repeatable
//! If it dies:   a version may be stored that nobody reads; the next call makes it current
//!
//! The mark of the cutover is asked first, as in restore-record. Without a mark, nothing was switched.
//!
//! Only the host changes, in the version that is current now: a rotation since the cutover keeps its password. A secret whose host
//! is neither the one before the cutover nor the one after it was changed by somebody since, on purpose. It stays, and the log
//! says so.
//!
//! A secret that names the source gets a new version too. Otherwise a late call of switch-clients would still find the version
//! current that it read before the rollback (docs/decisions/0082-clients-that-read-a-secret.md).

mod hook;
mod secret;

use futures_util::future::{join, join_all};
use pgleap_clients::{Hooks, Secrets, Way};
use pgleap_contract::Outcome;
use pgleap_contract::steps::{RestoreClientsInput, RestoreClientsOutput};
use pgleap_step_kit::prelude::*;

use secret::Restored;

/// All at once. One that fails does not keep the others from being restored.
pub async fn run(ctx: &Ctx, input: RestoreClientsInput) -> StepResult<RestoreClientsOutput> {
    let mark = pgleap_mark::read(ctx, &input.run, input.generation).await?;
    pgleap_mark::refuse_contradiction(mark.as_ref(), input.outcome)?;
    let nothing = RestoreClientsOutput { secrets: 0, left: 0, hooks: 0 };
    if mark.is_none() || input.outcome != Outcome::Back {
        return Ok(nothing);
    }
    let clients = input.run.clients.clone().unwrap_or_default();
    let secrets = Secrets::new(ctx);
    let restores = clients.secrets.iter().map(|named| {
        let way = Way::back(&input.run, named, &input.source, input.generation);
        secret::restore(&secrets, way)
    });
    let hooks = Hooks::new(ctx);
    let calls = clients.hooks.iter().map(|named| hook::call(&input, &hooks, named));
    let (restored, called) = join(join_all(restores), join_all(calls)).await;
    let restored: Vec<Restored> = restored.into_iter().collect::<StepResult<_>>()?;
    let called: Vec<()> = called.into_iter().collect::<StepResult<_>>()?;
    let counted = |what: Restored| restored.iter().filter(|one| **one == what).count().try_into().unwrap_or(u64::MAX);
    Ok(RestoreClientsOutput {
        secrets: counted(Restored::ToSource),
        left: counted(Restored::Left),
        hooks: called.len().try_into().unwrap_or(u64::MAX),
    })
}
