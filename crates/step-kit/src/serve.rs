//! One way to be called. Everything below `serve` is not generic, so that the runtime is compiled once, here, and not
//! once per function.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use lambda_runtime::{LambdaEvent, service_fn};
use pgleap_contract::ErrorCode;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tracing::Instrument;

use crate::{Answer, Ctx, StepError, StepResult, logs, movement};

type Handler = Rc<dyn Fn(Rc<Ctx>, Value) -> Pin<Box<dyn Future<Output = StepResult<Value>>>>>;

/// Serve a step until Lambda ends the process: parse the input (a misfit is `BadInput` and names the field), run,
/// log the outcome once, answer. [`Polled::Waiting`] becomes the error `NotYet`, whose retrier in the machine is the
/// wait; an output that is no [`Polled`] is answered as it is. The input `{"warmUp": true}` only
/// starts the process, and gets the credentials that the step needs beside its own, before clients wait for it.
///
/// ```no_run
/// # async fn run(ctx: &pgleap_step_kit::Ctx, input: serde_json::Value) -> pgleap_step_kit::StepResult<serde_json::Value> { Ok(input) }
/// pgleap_step_kit::serve("fence-source", run);
/// ```
///
/// [`Polled`]: crate::Polled
/// [`Polled::Waiting`]: crate::Polled::Waiting
pub fn serve<I, A, F>(step: &'static str, run: F) -> Result<(), lambda_runtime::Error>
where
    I: DeserializeOwned + 'static,
    A: Answer,
    F: AsyncFn(&Ctx, I) -> StepResult<A> + 'static,
{
    serve_erased(step, erase(step, run), log)
}

/// Serve pages behind a function URL. Only that a page was answered is logged, not what is on it; `run` logs what was
/// done. An error is the last resort: a browser sees no more of it than "Internal Server Error".
pub fn serve_pages<I, A, F>(name: &'static str, run: F) -> Result<(), lambda_runtime::Error>
where
    I: DeserializeOwned + 'static,
    A: Answer,
    F: AsyncFn(&Ctx, I) -> StepResult<A> + 'static,
{
    serve_erased(name, erase(name, run), log_without_output)
}

fn erase<I, A, F>(step: &'static str, run: F) -> Handler
where
    I: DeserializeOwned + 'static,
    A: Answer,
    F: AsyncFn(&Ctx, I) -> StepResult<A> + 'static,
{
    let run = Rc::new(run);
    Rc::new(move |ctx, payload| {
        let run = Rc::clone(&run);
        Box::pin(async move {
            if payload == json!({ "warmUp": true }) {
                ctx.warm_up().await;
                return Ok(json!({}));
            }
            let input = parse(step, payload)?;
            let output = run(&ctx, input).await?.into_output()?;
            serde_json::to_value(output).map_err(|error| StepError::bug(format!("write the output of {step}: {error}")))
        })
    })
}

fn parse<I: DeserializeOwned>(step: &str, payload: Value) -> StepResult<I> {
    serde_json::from_value(payload)
        .map_err(|error| StepError::new(ErrorCode::BadInput, format!("read the input of {step}: {error}")))
}

fn serve_erased(
    step: &'static str,
    handler: Handler,
    log: fn(&StepResult<Value>),
) -> Result<(), lambda_runtime::Error> {
    logs::init();
    // One call at a time is all that Lambda sends: the single-threaded runtime starts faster and answers sooner.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async move {
        let ctx = Rc::new(Ctx::load().await?);
        lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| {
            let span = span_of(step, &event);
            let call = handler(Rc::clone(&ctx), event.payload.clone());
            async move {
                let outcome = call.await;
                log(&outcome);
                movement::tell(step, &event.payload, &outcome);
                outcome
            }
            .instrument(span)
        }))
        .await
    })
}

fn span_of(step: &'static str, event: &LambdaEvent<Value>) -> tracing::Span {
    let run_id = event.payload.pointer("/run/id").and_then(Value::as_str).unwrap_or("-");
    tracing::info_span!("step", step, run_id, attempt = %event.context.request_id)
}

fn log(outcome: &StepResult<Value>) {
    match outcome {
        Ok(output) => tracing::info!(output = %bounded(output), "answered"),
        Err(error) if error.code == ErrorCode::NotYet => tracing::info!(waiting_for = error.message, "not yet"),
        Err(error) => tracing::warn!(error = error.code.word(), message = error.message, "failed"),
    }
}

fn log_without_output(outcome: &StepResult<Value>) {
    match outcome {
        Ok(_) => tracing::info!("answered"),
        Err(_) => log(outcome),
    }
}

/// Outputs are small by contract; the log is bounded all the same.
fn bounded(output: &Value) -> String {
    let mut text = output.to_string();
    if text.len() > 2_000 {
        text.truncate(text.floor_char_boundary(2_000));
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use pgleap_contract::steps::RunOnly;

    #[test]
    fn a_body_that_does_not_parse_is_bad_input_and_names_the_field() {
        let cases = [
            (json!({}), "run"),
            (json!({"surprise": 1, "run": {}}), "surprise"),
            (json!({"run": {"id": "A"}}), "run id"),
        ];
        for (body, names) in cases {
            let error = parse::<RunOnly>("fence-source", body).expect_err("misfit");

            assert_eq!(error.code, ErrorCode::BadInput);
            assert!(error.message.contains(names), "{}", error.message);
        }
    }
}
