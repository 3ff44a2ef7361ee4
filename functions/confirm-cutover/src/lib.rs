//! Confirm the cutover as a client sees it: the record leads to the target, and the target accepts a client.
//!
//! Changes:      nothing
//! Repeatable:   yes
//! If it dies:   nothing has changed

use pgleap_contract::steps::{ConfirmCutoverInput, NoOutput};
use pgleap_step_kit::prelude::*;

/// Resolve the record, connect as the owner's login, look whether the server takes writes.
pub async fn run(ctx: &Ctx, input: ConfirmCutoverInput) -> StepResult<NoOutput> {
    let not_confirmed = |reason: String| StepError::new(ErrorCode::NotConfirmed, reason);
    let record = &input.run.record.name;
    let (by_record, by_endpoint) = tokio::try_join!(ctx.resolve(record), ctx.resolve(&input.target.host))
        .map_err(|error| not_confirmed(error.to_string()))?;
    if !by_record.iter().all(|address| by_endpoint.contains(address)) {
        return Err(not_confirmed(format!(
            "resolve {record}: it leads to {by_record:?}, but the target is at {by_endpoint:?}"
        )));
    }
    // By the endpoint's name, because the certificate names it and not the record; the address is the same.
    let client = ctx.as_target_owner(&input.run, &input.target).await?;
    let sql = "SELECT pg_is_in_recovery() OR current_setting('default_transaction_read_only') = 'on'";
    let refuses_writes: bool = client.row("check whether the target accepts writes", sql, &[]).await?.get(0);
    if refuses_writes {
        return Err(not_confirmed(format!("connect to {}: it does not accept writes", input.target.host)));
    }
    Ok(NoOutput {})
}
