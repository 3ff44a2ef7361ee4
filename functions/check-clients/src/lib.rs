//! Check the clients that do not follow the record, before anything is changed.
//!
//! Changes:      nothing
//! Repeatable:   yes
//! If it dies:   nothing has happened
//!
//! A secret is fit if its host is the one that the cutover replaces, and if nothing else moves its current version meanwhile.
//! A hook is fit if it can be called at once and ends itself in time. What could not be read is itself a finding. No finding quotes a value, not even the host.

mod hook;
mod secret;

use futures_util::future::{join, join_all};
use pgleap_clients::{Hooks, Secrets};
use pgleap_contract::Finding;
use pgleap_contract::steps::{CheckClientsInput, CheckClientsOutput};
use pgleap_step_kit::prelude::*;

use secret::{Facts, judge};

/// Gather, judge, and add to what `check-instance` found.
pub async fn run(ctx: &Ctx, input: CheckClientsInput) -> StepResult<CheckClientsOutput> {
    let clients = input.run.clients.clone().unwrap_or_default();
    let secrets = Secrets::new(ctx);
    let hooks = Hooks::new(ctx);
    let facts = join_all(clients.secrets.iter().map(|secret| Facts::of(&secrets, secret)));
    let (facts, of_hooks) = join(facts, join_all(clients.hooks.iter().map(|named| hook::check(&hooks, named)))).await;
    let of_hooks: Vec<Option<Finding>> = of_hooks.into_iter().collect::<StepResult<_>>()?;
    let facts: Vec<Facts<'_>> = facts.into_iter().collect::<StepResult<_>>()?;
    let now = secret::now();
    let found = facts.iter().flat_map(|facts| judge(&input, facts, now)).chain(of_hooks.into_iter().flatten());
    let found: Vec<_> = found.inspect(|finding| tracing::info!(check = finding.check, found = finding.found)).collect();
    Ok(CheckClientsOutput { findings: input.findings.and(found) })
}
