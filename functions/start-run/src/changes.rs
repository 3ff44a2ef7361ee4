//! Whether an execution that has ended came as far as changing anything: what did not needs no recovery, and a source that
//! cannot be reached, or a secret that does not fit, is then no reason to call a person.

use pgleap_executions::Executions;
use pgleap_step_kit::prelude::*;

/// The first state of the machine that changes anything; every later change comes after it.
pub const FIRST_CHANGE: &str = "ConfigureSource";

/// Looked for in the execution's history, from its beginning.
pub(crate) async fn has_changed_something(ctx: &Ctx, execution: &str) -> StepResult<bool> {
    Ok(Executions::new(ctx).has_entered(execution, FIRST_CHANGE).await?)
}
