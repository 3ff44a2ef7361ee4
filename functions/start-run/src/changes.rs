//! Whether an execution that has ended came as far as changing anything: what did not needs no recovery, and a source that
//! cannot be reached, or a secret that does not fit, is then no reason to call a person.

use aws_sdk_sfn::Client;
use pgleap_step_kit::prelude::*;

/// The first state of the machine that changes anything; every later change comes after it.
pub const FIRST_CHANGE: &str = "ConfigureSource";

/// Events without their data, so many at once.
const PAGE: i32 = 1_000;

/// Looked for in the execution's history, from its beginning.
pub(crate) async fn has_changed_something(ctx: &Ctx, execution: &str) -> StepResult<bool> {
    let client = Client::new(ctx.aws());
    let request =
        client.get_execution_history().execution_arn(execution).include_execution_data(false).max_results(PAGE);
    let mut pages = request.into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.doing(format!("read the history of execution {execution}"))?;
        let mut entered = page.events().iter().filter_map(|event| event.state_entered_event_details());
        if entered.any(|state| state.name() == FIRST_CHANGE) {
            return Ok(true);
        }
    }
    Ok(false)
}
