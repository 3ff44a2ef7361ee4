//! What a step answers that the machine calls again until it is done.

use pgleap_contract::ErrorCode;
use serde::Serialize;

use crate::{StepError, StepResult};

/// What one call of a step found that the machine calls again until it is done. Each call observes, does the next thing
/// that can be done without waiting, and returns; so a call that is repeated or lost changes nothing.
#[must_use]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Polled<T> {
    /// Nothing is left to do; the machine goes on with this output.
    Done(T),
    /// The machine calls again later. What the next call hopes to see, for people: "instance orders-db is rebooting".
    Waiting(String),
}

impl<T> Polled<T> {
    /// The output, if the step is done.
    pub fn done(self) -> Option<T> {
        match self {
            Self::Done(output) => Some(output),
            Self::Waiting(_) => None,
        }
    }

    /// The same, with another output where it is done.
    pub fn map<U>(self, with: impl FnOnce(T) -> U) -> Polled<U> {
        match self {
            Self::Done(output) => Polled::Done(with(output)),
            Self::Waiting(text) => Polled::Waiting(text),
        }
    }
}

/// What a step may return: a [`Polled`], or an output that is always ready.
pub trait Answer {
    /// What the machine gets in the end.
    type Output: Serialize;

    /// The output, or the error `NotYet` with what is waited for.
    fn into_output(self) -> StepResult<Self::Output>;
}

/// [`Polled`] itself cannot be serialised, or this would not compile: so no step answers with a wait by mistake.
impl<T: Serialize> Answer for T {
    type Output = T;

    fn into_output(self) -> StepResult<T> {
        Ok(self)
    }
}

impl<T: Serialize> Answer for Polled<T> {
    type Output = T;

    fn into_output(self) -> StepResult<T> {
        match self {
            Self::Done(output) => Ok(output),
            Self::Waiting(text) => Err(StepError::new(ErrorCode::NotYet, text)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pgleap_contract::steps::NoOutput;
    use serde_json::{Value, json};

    fn answered(answer: impl Answer) -> Result<Value, (ErrorCode, String)> {
        let output = answer.into_output().map_err(|error| (error.code, error.message))?;
        Ok(serde_json::to_value(output).expect("JSON"))
    }

    #[test]
    fn waiting_becomes_not_yet_and_done_the_output_alone() {
        let waits = |text: &str| Err((ErrorCode::NotYet, text.to_owned()));

        assert_eq!(answered(Polled::Waiting::<NoOutput>("x is rebooting".to_owned())), waits("x is rebooting"));
        assert_eq!(answered(Polled::Done(json!({"tables": 1}))), Ok(json!({"tables": 1})));
        assert_eq!(answered(Polled::Done(NoOutput {})), Ok(json!({})));
    }

    #[test]
    fn an_output_that_is_always_ready_is_answered_as_it_is() {
        for output in [json!({}), json!({"done": false, "waitingFor": "x"})] {
            assert_eq!(answered(output.clone()), Ok(output));
        }
    }
}
