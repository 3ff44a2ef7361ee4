//! Ask a person: say what would happen to users, for how long, what the run found, and how to answer.
//!
//! Changes:      nothing; one message to the stack's topic
//! Repeatable:   yes; a question that is asked again has another token, and an answer to the first one is refused
//! If it dies:   the question went out or not; the machine asks again
//!
//! The machine waits for the answer, not this function: it is gone as soon as the message is out. The token is in the
//! message and nowhere else that this function writes; with `AnswerLinks`, in a link too, by which whoever has it may
//! answer without a login.

mod message;

use std::time::{SystemTime, UNIX_EPOCH};

use pgleap_contract::steps::{AskApprovalInput, AskApprovalOutput};
use pgleap_notify::{AnswerLinks, Asked, Topic};
use pgleap_step_kit::prelude::*;

pub use message::question;

/// Send the question.
pub async fn run(ctx: &Ctx, input: AskApprovalInput) -> StepResult<AskApprovalOutput> {
    run_with(ctx, input, Topic::from_environment()?, AnswerLinks::from_environment()).await
}

/// The same, with what the environment says at hand.
pub async fn run_with(
    ctx: &Ctx,
    input: AskApprovalInput,
    topic: Topic,
    links: Option<AnswerLinks>,
) -> StepResult<AskApprovalOutput> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let until = now + u64::from(input.run.approval.wait_seconds);
    let link = match links {
        Some(links) => links.link(ctx, &asked(&input, until)).await.map_err(|error| {
            // A question without its link is better than none: the lines to paste are there.
            tracing::warn!(error = error.code.word(), message = error.message, "the question is sent without a link");
        }),
        None => Err(()),
    };
    let text = message::text(&input, until, link.ok().as_deref());
    let message_id = topic.publish(ctx, &message::subject(&input), &text).await?;
    Ok(AskApprovalOutput { message_id })
}

fn asked(input: &AskApprovalInput, until: u64) -> Asked {
    Asked {
        execution_arn: input.run.execution_arn.clone(),
        source: input.run.source.instance.clone(),
        question: input.question,
        until,
        token: input.token.clone(),
    }
}
