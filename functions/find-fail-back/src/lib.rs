//! Find the fail-back path that an execution takes: its schedule carries the run and both servers.
//!
//! Changes:      nothing
//! Repeatable:   yes
//! If it dies:   nothing has happened

use pgleap_contract::RunId;
use pgleap_contract::steps::{FailBackPath, FailBackRequest, FindFailBackInput, FindFailBackOutput};
use pgleap_executions::Executions;
use pgleap_schedule::Schedules;
use pgleap_step_kit::prelude::*;
use serde_json::Value;

/// By the run's id, which the recovery reads from the execution's input.
pub async fn run(ctx: &Ctx, input: FindFailBackInput) -> StepResult<FindFailBackOutput> {
    let request = match input.request {
        Some(request) => request,
        None => input_of(ctx, &input.execution_arn).await?,
    };
    let request: FailBackRequest = serde_json::from_value(request).map_err(|error| bad(error.to_string()))?;
    let id = RunId::try_from(request.run_id).map_err(|error| bad(format!("runId: {error}")))?;
    let name = id.names().fail_back_schedule();
    let schedule = Schedules::new(ctx).find(&name).await?.ok_or_else(|| {
        bad(format!(
            "run {id} has no fail-back path that is open: there is no schedule {name}. Either its input did not ask for one \
             (failBack), the old server has been released, or the run has already failed back"
        ))
    })?;
    let carried: Value = serde_json::from_str(&schedule.input).unwrap_or_default();
    let way: FailBackPath = serde_json::from_value(carried["failBackPath"].clone())
        .map_err(|error| bad(format!("read schedule {name}: {error}")))?;
    let run = Run { execution_arn: input.execution_arn, ..way.run };
    Ok(FindFailBackOutput { run, source: way.source, target: way.target, accept: request.accept })
}

async fn input_of(ctx: &Ctx, arn: &str) -> StepResult<Value> {
    let found = Executions::new(ctx).describe(arn).await.optional()?;
    let text = found.and_then(|found| found.input).ok_or_else(|| bad(format!("there is no execution {arn}")))?;
    serde_json::from_str(&text).map_err(|error| bad(error.to_string()))
}

fn bad(reason: String) -> StepError {
    StepError::new(ErrorCode::BadInput, format!("find the fail-back path: {reason}"))
}
