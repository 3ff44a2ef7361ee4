//! Start a run: validate the input of the operator and fill in every default once, so that all steps use the same
//! values.
//!
//! Changes:      nothing
//! Repeatable:   yes; the same execution always gives the same run
//! If it dies:   nothing has happened

pub mod changes;
mod clients;
mod elsewhere;
mod others;
mod request;
mod run_id;

use pgleap_contract::Mode;
use pgleap_contract::steps::{StartRunInput, StartRunOutput};
use pgleap_executions::Executions;
use pgleap_step_kit::prelude::*;
use serde_json::Value;

/// Name the run and fill in its defaults; refuse it, or its recovery, while another one has the source.
pub async fn run(ctx: &Ctx, input: StartRunInput) -> StepResult<StartRunOutput> {
    let arn = &input.execution_arn;
    let to_run =
        |request: Value| request::to_run(arn, request).map_err(|reason| StepError::new(ErrorCode::BadInput, reason));
    match input.request {
        Some(request) => {
            let run = to_run(request)?;
            if run.mode == Mode::Upgrade {
                others::refuse_second(ctx, &run).await?;
                elsewhere::refuse_second(ctx, &run).await?;
            }
            Ok(StartRunOutput { run, has_changed_something: false })
        }
        None => {
            let execution = execution(ctx, arn).await?;
            let run = to_run(execution.input.clone())?;
            if run.mode == Mode::Plan {
                return Ok(StartRunOutput { run, has_changed_something: false });
            }
            others::refuse_recovery(ctx, &run, &execution).await?;
            let has_changed_something = changes::has_changed_something(ctx, arn).await?;
            Ok(StartRunOutput { run, has_changed_something })
        }
    }
}

/// An execution whose input can be read.
pub(crate) struct Execution {
    pub(crate) input: Value,
    /// Epoch seconds.
    pub(crate) started: f64,
    /// The error's word, if it failed with one.
    pub(crate) error: String,
    pub(crate) is_running: bool,
}

/// What the execution was started with: the way back knows only the ARN.
pub(crate) async fn execution(ctx: &Ctx, arn: &str) -> StepResult<Execution> {
    let bad = |reason: String| StepError::new(ErrorCode::BadInput, format!("read the input of {arn}: {reason}"));
    let found = Executions::new(ctx).describe(arn).await.optional()?;
    let found = found.ok_or_else(|| bad("there is no such execution".to_owned()))?;
    let text = found.input.as_deref().ok_or_else(|| bad("Step Functions returns no input".to_owned()))?;
    Ok(Execution {
        input: serde_json::from_str(text).map_err(|error| bad(error.to_string()))?,
        started: found.started,
        is_running: found.is_running(),
        error: found.error,
    })
}
