//! Start a run: turn what the operator asked for into what every step is told, once, so that no default is decided twice.
//!
//! Changes:      nothing
//! Repeatable:   yes; the same execution always gives the same run
//! Undo:         nothing to undo
//! If it dies:   nothing has happened
//! Fails with:   BadInput (final; names the field), AnotherRun (final; names its execution), AccessDenied (final), Throttled, ServiceUnavailable (retried)

mod others;
mod request;
mod run_id;

use pgleap_contract::Mode;
use pgleap_contract::steps::{StartRunInput, StartRunOutput};
use pgleap_step_kit::prelude::*;
use serde_json::Value;

/// Name the run and fill in its defaults.
pub async fn run(ctx: &Ctx, input: StartRunInput) -> StepResult<StartRunOutput> {
    let starts = input.request.is_some();
    let request = match input.request {
        Some(request) => request,
        None => input_of_execution(ctx, &input.execution_arn).await?,
    };
    let run =
        request::to_run(&input.execution_arn, request).map_err(|reason| StepError::new(ErrorCode::BadInput, reason))?;
    if starts && run.mode == Mode::Upgrade {
        others::refuse_second(ctx, &run).await?;
    }
    Ok(StartRunOutput { run })
}

/// What the execution was started with: the way back knows only the ARN.
async fn input_of_execution(ctx: &Ctx, arn: &str) -> StepResult<Value> {
    let bad = |reason: String| StepError::new(ErrorCode::BadInput, format!("read input of execution {arn}: {reason}"));
    let client = aws_sdk_sfn::Client::new(ctx.aws());
    let answer = client.describe_execution().execution_arn(arn).send().await;
    let execution = answer
        .doing(format!("describe execution {arn}"))
        .optional()?
        .ok_or_else(|| bad("there is no such execution".to_owned()))?;
    let text = execution.input().ok_or_else(|| bad("it shows none".to_owned()))?;
    serde_json::from_str(text).map_err(|error| bad(error.to_string()))
}
