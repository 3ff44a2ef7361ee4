//! One way to be called. Everything below `serve` is not generic, so that the runtime is compiled once, here, and not
//! once per function.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use lambda_runtime::{LambdaEvent, service_fn};
use pgleap_contract::{ErrorCode, Generation, Run, Server};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::error::Elapsed;
use tracing::Instrument;

use crate::{Answer, Ctx, StepError, StepResult, logs, movement};

/// The cutover that a step is warmed up for.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WarmUp {
    /// The run.
    pub run: Run,
    /// The source's server.
    pub source: Server,
    /// The target's server.
    pub target: Server,
    /// The cutover that will begin.
    pub generation: Generation,
}

/// A warm-up that takes longer is given up: the step works without it.
const LONGEST_WARM_UP: Duration = Duration::from_secs(20);

type Handler = Rc<dyn Fn(Rc<Ctx>, Value) -> Pin<Box<dyn Future<Output = StepResult<Value>>>>>;

/// Serve a step until Lambda ends the process: parse the input (a misfit is `BadInput` and names the field), run,
/// log the outcome once, answer. [`Polled::Waiting`] becomes the error `NotYet`, whose retrier in the machine is the
/// wait; an output that is no [`Polled`] is answered as it is. The input `{"warmUp": true}` only
/// starts the process, and gets the credentials that the step needs beside its own, before clients wait for it; with a run
/// beside it, it also prepares the step ([`serve_prepared`]).
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
    serve_erased(step, erase(step, async |_ctx, _cutover| Ok(()), run), log)
}

/// The same for a step for which clients wait: `prepare` does ahead what does not need the fence. It fails nothing.
pub fn serve_prepared<I, A, P, F>(step: &'static str, prepare: P, run: F) -> Result<(), lambda_runtime::Error>
where
    I: DeserializeOwned + 'static,
    A: Answer,
    P: AsyncFn(&Ctx, WarmUp) -> StepResult<()> + 'static,
    F: AsyncFn(&Ctx, I) -> StepResult<A> + 'static,
{
    serve_erased(step, erase(step, prepare, run), log)
}

/// Serve pages behind a function URL. Only that a page was answered is logged, not what is on it; `run` logs what was
/// done. An error is the last resort: a browser sees no more of it than "Internal Server Error".
pub fn serve_pages<I, A, F>(name: &'static str, run: F) -> Result<(), lambda_runtime::Error>
where
    I: DeserializeOwned + 'static,
    A: Answer,
    F: AsyncFn(&Ctx, I) -> StepResult<A> + 'static,
{
    serve_erased(name, erase(name, async |_ctx, _cutover| Ok(()), run), log_without_output)
}

fn erase<I, A, P, F>(step: &'static str, prepare: P, run: F) -> Handler
where
    I: DeserializeOwned + 'static,
    A: Answer,
    P: AsyncFn(&Ctx, WarmUp) -> StepResult<()> + 'static,
    F: AsyncFn(&Ctx, I) -> StepResult<A> + 'static,
{
    let both = Rc::new((prepare, run));
    Rc::new(move |ctx, payload| {
        let both = Rc::clone(&both);
        Box::pin(async move {
            let (prepare, run) = &*both;
            if payload.get("warmUp").is_some() {
                ctx.warm_up().await;
                if payload.get("run").is_some() {
                    let cutover = parse(step, payload)?;
                    note(tokio::time::timeout(LONGEST_WARM_UP, prepare(&ctx, cutover)).await);
                }
                return Ok(json!({}));
            }
            let input = parse(step, payload)?;
            let output = run(&ctx, input).await?.into_output()?;
            serde_json::to_value(output).map_err(|error| StepError::bug(format!("write the output of {step}: {error}")))
        })
    })
}

fn note(prepared: Result<StepResult<()>, Elapsed>) {
    match prepared {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "the warm-up failed; the step works without it"),
        Err(_elapsed) => {
            tracing::warn!("the warm-up was given up after {LONGEST_WARM_UP:?}; the step works without it")
        }
    }
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
