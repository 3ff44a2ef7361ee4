//! The stack's SNS topic.

use aws_sdk_sns::Client;
use pgleap_step_kit::prelude::*;

/// Longest subject: SNS wants less than 100 characters.
/// Source: Amazon SNS API reference, Publish, Subject.
const LONGEST_SUBJECT: usize = 99;
/// Longest text in bytes; SNS takes 256 KiB with everything.
const LONGEST_TEXT: usize = 200_000;

/// Where messages to people go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    arn: String,
}

impl Topic {
    /// As the deployment says; a missing variable is a defect of it.
    pub fn from_environment() -> StepResult<Self> {
        let arn = std::env::var("PGLEAP_TOPIC_ARN");
        arn.map(Self::of).map_err(|_| StepError::bug("read the environment: PGLEAP_TOPIC_ARN is not set"))
    }

    /// A topic.
    pub fn of(arn: impl Into<String>) -> Self {
        Self { arn: arn.into() }
    }

    /// Send a message; the answer is SNS's id of it.
    pub async fn publish(&self, ctx: &Ctx, subject: &str, text: &str) -> StepResult<String> {
        let message = Client::new(ctx.aws()).publish().topic_arn(&self.arn);
        let message = message.subject(subject_of(subject)).message(bounded(text));
        let sent = message.send().await.doing(format!("publish to topic {}", self.arn))?;
        Ok(sent.message_id().unwrap_or_default().to_owned())
    }
}

/// ASCII without control characters, begun by a letter, a digit or a punctuation mark, and short enough.
fn subject_of(text: &str) -> String {
    let plain = text.trim().chars().map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' });
    plain.take(LONGEST_SUBJECT).collect()
}

fn bounded(text: &str) -> &str {
    &text[..text.floor_char_boundary(LONGEST_TEXT)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_what_sns_takes() {
        assert_eq!(subject_of(" pgleap: größer\n "), "pgleap: gr??er");
        assert_eq!(subject_of(&"x".repeat(300)).len(), 99);
    }
}
