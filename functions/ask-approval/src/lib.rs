//! Ask a person: what would happen to users, for how long, what was found, and how to answer.
//!
//! Changes:      nothing; one message to the stack's topic
//! Repeatable:   yes; a question that is asked again has another token, and an answer to the first one is refused
//! Undo:         none needed
//! If it dies:   the question went out or not; the machine asks again
//! Fails with:   AccessDenied, Bug (final), Throttled, ServiceUnavailable (retried)
//!
//! The machine waits for the answer, not this function: it is gone as soon as the message is out. The token is in the
//! message and nowhere else that this function writes.

mod message;

use std::time::{SystemTime, UNIX_EPOCH};

use pgleap_contract::steps::{AskApprovalInput, AskApprovalOutput};
use pgleap_notify::Topic;
use pgleap_step_kit::prelude::*;

/// Send the question.
pub async fn run(ctx: &Ctx, input: AskApprovalInput) -> StepResult<AskApprovalOutput> {
    run_with(ctx, input, Topic::from_environment()?).await
}

/// The same, with what the environment says at hand.
pub async fn run_with(ctx: &Ctx, input: AskApprovalInput, topic: Topic) -> StepResult<AskApprovalOutput> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let message_id = topic.publish(ctx, &message::subject(&input), &message::text(&input, now)).await?;
    Ok(AskApprovalOutput { message_id })
}
