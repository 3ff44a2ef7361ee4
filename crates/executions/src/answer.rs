//! An answer to a task that waits for one.

use aws_sdk_sfn::error::SdkError;
use pgleap_step_kit::aws::{AwsError, Doing};

use crate::Executions;

/// What a waiting task is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer<'a> {
    /// It succeeds, with this output as JSON.
    Success(&'a str),
    /// It fails.
    Failure {
        /// The error code, which a Catch matches.
        error: &'a str,
        /// Why, for people.
        cause: &'a str,
    },
}

/// Who was first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// This answer counts.
    Now,
    /// Nobody waits for it: somebody else answered, or the wait or the execution is over.
    Before,
}

impl Executions {
    /// Pass an answer on to the task of this token.
    pub async fn answer(&self, token: &str, answer: Answer<'_>) -> Result<Taken, AwsError> {
        match answer {
            Answer::Success(output) => {
                let yes = self.client.send_task_success().task_token(token).output(output);
                taken(yes.send().await, |error| {
                    error.is_task_timed_out() || error.is_task_does_not_exist() || error.is_invalid_token()
                })
            }
            Answer::Failure { error, cause } => {
                let no = self.client.send_task_failure().task_token(token).error(error);
                taken(no.cause(cause).send().await, |error| {
                    error.is_task_timed_out() || error.is_task_does_not_exist() || error.is_invalid_token()
                })
            }
        }
    }
}

/// Step Functions' answer; `is_over` tells by an error that nobody waits any more.
fn taken<O, E>(answer: Result<O, SdkError<E>>, is_over: impl Fn(&E) -> bool) -> Result<Taken, AwsError>
where
    Result<O, SdkError<E>>: Doing<O>,
{
    if answer.as_ref().err().and_then(SdkError::as_service_error).is_some_and(is_over) {
        return Ok(Taken::Before);
    }
    answer.doing("send the answer").map(|_| Taken::Now)
}
