//! Take a person's answer through the link of a question: show the question, and pass on a yes or a no.
//!
//! Changes:      the state that waits: it goes on, or back
//! Repeatable:   yes; Step Functions takes one answer to a question, and a second one is told so
//! Undo:         none; a no after a yes comes too late
//! If it dies:   the answer was passed on or not; whoever tries again is told which
//! Fails with:   nothing; the page says what is wrong
//!
//! No machine calls it: a browser does, without a login, if the stack has `AnswerLinks`. Looking at a link changes
//! nothing, because mail filters and previews look too; only the page's buttons answer. Everything is judged by the
//! seal first, and neither link nor token is printed anywhere.

mod page;
mod request;

use std::time::{SystemTime, UNIX_EPOCH};

use pgleap_executions::{self as executions, Executions, Taken};
use pgleap_notify::{AnswerKey, Asked, Unusable};
use pgleap_step_kit::prelude::*;

pub use page::Page;
pub use request::PageRequest;
use request::{Answer, Wish};

/// Answer a browser.
pub async fn run(ctx: &Ctx, request: PageRequest) -> StepResult<Page> {
    let secret = std::env::var("PGLEAP_ANSWER_KEY");
    let secret = secret.map_err(|_| StepError::bug("read the environment: PGLEAP_ANSWER_KEY is not set"))?;
    run_with(ctx, request, &secret).await
}

/// The same, with what the environment says at hand.
pub async fn run_with(ctx: &Ctx, request: PageRequest, key_secret: &str) -> StepResult<Page> {
    let Some(sealed) = request.sealed() else { return Ok(page::unusable(Unusable::Forged)) };
    let key = match AnswerKey::read(ctx, key_secret).await {
        Ok(key) => key,
        Err(error) => return Ok(out_of_order(&error)),
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let asked = match key.open(&sealed, now) {
        Ok(asked) => asked,
        Err(reason) => {
            tracing::warn!(from = request.from(), %reason, "an answer link was refused");
            return Ok(page::unusable(reason));
        }
    };
    match request.wish() {
        Wish::Look => Ok(page::question(&asked)),
        Wish::Answer(answer) => pass_on(ctx, &request, &asked, answer).await,
        Wish::Unclear => Ok(page::unclear()),
    }
}

async fn pass_on(ctx: &Ctx, request: &PageRequest, asked: &Asked, answer: Answer) -> StepResult<Page> {
    let told = match answer {
        Answer::Yes => executions::Answer::Success(r#"{"approved":true}"#),
        Answer::No => executions::Answer::Failure {
            error: ErrorCode::NotApproved.word(),
            cause: "somebody answered No through the link in the question",
        },
    };
    let passed_on = Executions::new(ctx).answer(asked.token.as_str(), told).await;
    let (execution, from) = (&asked.execution_arn, request.from());
    match passed_on {
        Ok(Taken::Now) => {
            tracing::info!(execution, from, question = ?asked.question, ?answer, "somebody answered through the link");
            Ok(page::thanks(asked, answer))
        }
        Ok(Taken::Before) => {
            tracing::info!(execution, from, question = ?asked.question, ?answer, "the answer came too late");
            Ok(page::too_late(asked))
        }
        Err(error) => Ok(out_of_order(&error.into())),
    }
}

/// What keeps the function from its work is for the operator's log, not for whoever has a link.
fn out_of_order(error: &StepError) -> Page {
    tracing::error!(error = error.code.word(), message = error.message, "the answer could not be recorded");
    page::out_of_order()
}
