//! Check the clients that do not follow the record, before anything is changed.
//!
//! Changes:      nothing
//! Repeatable:   yes
//! If it dies:   nothing has happened
//!
//! A secret is fit if its host is the one that the cutover replaces, and if nothing else moves its current version meanwhile.
//! What could not be read is itself a finding. No finding quotes a value, not even the host.

mod secret;

use futures_util::future::join_all;
use pgleap_clients::Secrets;
use pgleap_contract::steps::{CheckClientsInput, CheckClientsOutput};
use pgleap_step_kit::prelude::*;

use secret::{Facts, judge};

/// Gather, judge, and add to what `check-instance` found.
pub async fn run(ctx: &Ctx, input: CheckClientsInput) -> StepResult<CheckClientsOutput> {
    let clients = input.run.clients.clone().unwrap_or_default();
    let secrets = Secrets::new(ctx);
    let facts = join_all(clients.secrets.iter().map(|secret| Facts::of(&secrets, secret))).await;
    let facts: Vec<Facts<'_>> = facts.into_iter().collect::<StepResult<_>>()?;
    let now = secret::now();
    let found = facts.iter().flat_map(|facts| judge(&input, facts, now));
    let found: Vec<_> = found.inspect(|finding| tracing::info!(check = finding.check, found = finding.found)).collect();
    Ok(CheckClientsOutput { findings: input.findings.and(found) })
}
