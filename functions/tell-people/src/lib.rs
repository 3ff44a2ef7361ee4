//! Notify people of what a run does: of each phase, each repair and each end. It publishes a message to the stack's
//! topic and an event to the bus.
//!
//! Changes:      nothing; messages and events
//! Repeatable:   yes; told twice is no harm
//! If it dies:   Lambda calls it again, as it does for every call that nobody waits for
//!
//! The machine calls it and does not wait, and never between fence and OPEN. How an execution ended comes from
//! EventBridge, so that an end that no Catch sees is told too.

mod execution;
mod words;

use pgleap_bus::Event;
use pgleap_contract::steps::{TellPeopleInput, TellPeopleOutput};
use pgleap_notify::{Runbook, Topic};
use pgleap_step_kit::prelude::*;
use serde_json::json;

use execution::About;
use words::Telling;

/// Source of the events.
pub const SOURCE: &str = "pgleap";

/// Tell the news.
pub async fn run(ctx: &Ctx, input: TellPeopleInput) -> StepResult<TellPeopleOutput> {
    run_with(ctx, input, Topic::from_environment()?, Runbook::from_environment()).await
}

/// The same, with what the environment says at hand.
pub async fn run_with(
    ctx: &Ctx,
    input: TellPeopleInput,
    topic: Topic,
    runbook: Runbook,
) -> StepResult<TellPeopleOutput> {
    let about = execution::about(ctx, &input).await?;
    let tellings = words::of(&about, &input.news);
    for telling in &tellings {
        tell(ctx, &about, telling, (&topic, &runbook)).await?;
    }
    Ok(TellPeopleOutput { messages: tellings.len() })
}

/// Whom the one way does not reach, the other may. Another attempt would tell the reached ones twice, so it is made only
/// if neither was.
async fn tell(ctx: &Ctx, about: &About, telling: &Telling, (topic, runbook): (&Topic, &Runbook)) -> StepResult<()> {
    let message = topic.publish(ctx, &telling.subject, &telling.text(runbook)).await;
    let event = put_event(ctx, about, telling, telling.link(runbook)).await;
    match (message, event) {
        (Err(error), Err(_)) => Err(error),
        (Err(error), _) | (_, Err(error)) => {
            tracing::warn!(error = error.to_string(), "one delivery failed (SNS or EventBridge), the other succeeded");
            Ok(())
        }
        (Ok(_), Ok(())) => Ok(()),
    }
}

async fn put_event(ctx: &Ctx, about: &About, telling: &Telling, runbook: Option<String>) -> StepResult<()> {
    let detail = json!({
        "run": about.run_id, "source": about.source, "executionArn": about.execution_arn, "subject": telling.subject,
        "sentence": telling.sentence, "phase": telling.phase, "error": telling.error, "console": telling.console,
        "runbook": runbook,
    });
    let event = Event { source: SOURCE, kind: telling.kind, about: &about.execution_arn, detail: detail.to_string() };
    pgleap_bus::put(ctx, event).await
}
