//! Answer the question that a run waits with.

use anyhow::{Context, Result, bail};
use aws_sdk_sfn::Client;
use pgleap_contract::steps::AskApprovalInput;
use serde_json::{Value, json};

/// A question that waits for an answer.
#[derive(Debug, Clone)]
pub struct Waiting {
    input: AskApprovalInput,
}

impl Waiting {
    /// From what the machine sent to the function that asks.
    ///
    /// # Errors
    /// It is no question of this version.
    pub fn read(question: &Value) -> Result<Self> {
        let input =
            serde_json::from_value(question.clone()).context("read the question; is this the stack's version?")?;
        Ok(Self { input })
    }

    /// The question as its message has it, without the ways to answer.
    pub fn text(&self) -> String {
        ask_approval::question(&self.input)
    }

    /// Pass the answer on to the run.
    ///
    /// # Errors
    /// The question is closed: somebody answered it, or the run has stopped waiting. Step Functions refuses the call or
    /// cannot be reached.
    pub async fn answer(&self, client: &Client, yes: bool, reason: &str) -> Result<()> {
        let closed = "This question is closed: somebody else answered it, or the run has stopped waiting.";
        if yes {
            let output = json!({ "approved": true }).to_string();
            let sent = client.send_task_success().task_token(self.input.token.as_str()).output(output).send().await;
            match sent.map_err(aws_sdk_sfn::Error::from) {
                Ok(_) => Ok(()),
                Err(error) if is_over(&error) => bail!("{closed}"),
                Err(error) => Err(error).context("send the answer"),
            }
        } else {
            let fail =
                client.send_task_failure().task_token(self.input.token.as_str()).error("NotApproved").cause(reason);
            match fail.send().await.map_err(aws_sdk_sfn::Error::from) {
                Ok(_) => Ok(()),
                Err(error) if is_over(&error) => bail!("{closed}"),
                Err(error) => Err(error).context("send the answer"),
            }
        }
    }
}

fn is_over(error: &aws_sdk_sfn::Error) -> bool {
    use aws_sdk_sfn::Error;
    matches!(error, Error::TaskTimedOut(_) | Error::TaskDoesNotExist(_) | Error::InvalidToken(_))
}
