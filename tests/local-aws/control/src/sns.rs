//! SNS, of which a run uses one operation: a message is published to a topic. What was published is kept, as the
//! mailbox of whoever would have been told.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use local_aws_core::{ApiError, BoxFuture, Call, Reply, Service};
use serde_json::json;

/// Longest message in bytes, and the length that a subject stays below in characters.
const LONGEST_MESSAGE: usize = 256 * 1024;
const SUBJECT_LIMIT: usize = 100;

/// A message that a topic took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The topic.
    pub topic_arn: String,
    /// Its subject; empty if it has none.
    pub subject: String,
    /// Its text.
    pub text: String,
    /// Who published it.
    pub publisher: String,
}

/// The service. Clones share what was published.
#[derive(Debug, Clone, Default)]
pub struct Sns(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    topics: BTreeSet<String>,
    messages: Vec<Message>,
}

impl Sns {
    /// A topic that CloudFormation made.
    pub fn add_topic(&self, arn: &str) {
        self.kept().topics.insert(arn.to_owned());
    }

    /// Everything that was published, oldest first.
    pub fn messages(&self) -> Vec<Message> {
        self.kept().messages.clone()
    }

    fn publish(&self, call: &Call) -> Reply {
        for member in
            ["PhoneNumber", "MessageStructure", "MessageAttributes", "MessageGroupId", "MessageDeduplicationId"]
        {
            if call.input.get(member).is_some() {
                return Err(ApiError::not_implemented(&format!("Publish with {member}")));
            }
        }
        let topic = call.str("TopicArn").or_else(|| call.str("TargetArn"));
        let topic =
            topic.ok_or_else(|| invalid("TopicArn or TargetArn Reason: no value for required parameter"))?.to_owned();
        let text = call.str("Message").unwrap_or_default();
        if text.is_empty() {
            return Err(invalid("Empty message"));
        }
        if text.len() > LONGEST_MESSAGE {
            return Err(invalid("Message too long"));
        }
        if let Some(subject) = call.str("Subject") {
            check_subject(subject)?;
        }
        if !topic.starts_with("arn:aws:sns:") || topic.split(':').count() != 6 {
            return Err(invalid(&format!("TopicArn Reason: An ARN must have at least 6 elements, not {topic}")));
        }
        let mut kept = self.kept();
        if !kept.topics.contains(&topic) {
            return Err(ApiError::new(404, "NotFound", "Topic does not exist"));
        }
        kept.messages.push(Message {
            topic_arn: topic,
            subject: call.str("Subject").unwrap_or_default().to_owned(),
            text: text.to_owned(),
            publisher: call.caller.access_key_id.clone(),
        });
        Ok(json!({"MessageId": uuid::Uuid::new_v4().to_string()}))
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Service for Sns {
    fn name(&self) -> &'static str {
        "sns"
    }

    fn call<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Reply> {
        Box::pin(async move {
            match call.operation.as_str() {
                "Publish" => self.publish(call),
                other => Err(ApiError::not_implemented(other)),
            }
        })
    }
}

/// ASCII, begun by a letter, a digit or a punctuation mark, without line breaks and control characters, below 100.
fn check_subject(subject: &str) -> Result<(), ApiError> {
    let plain = subject.chars().all(|c| c.is_ascii_graphic() || c == ' ');
    let begins = subject.chars().next().is_some_and(|c| c.is_ascii_graphic());
    if plain && begins && subject.len() < SUBJECT_LIMIT { Ok(()) } else { Err(invalid("Subject")) }
}

fn invalid(what: &str) -> ApiError {
    ApiError::new(400, "InvalidParameter", format!("Invalid parameter: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    const TOPIC: &str = "arn:aws:sns:eu-west-1:111122223333:people";

    #[test]
    fn a_topic_takes_what_sns_takes_and_refuses_the_rest_by_sns_words() {
        let sns = Sns::default();
        sns.add_topic(TOPIC);
        let publish = |input: Value| sns.publish(&Call::new("Publish", input)).map_err(|error| error.code);
        let with_subject = |subject: &str| publish(json!({"TopicArn": TOPIC, "Subject": subject, "Message": "m"}));

        assert!(with_subject("pgleap: orders-db").is_ok());
        for subject in ["", " begins with a space", "two\nlines", "größer", &"x".repeat(100)] {
            assert_eq!(with_subject(subject), Err("InvalidParameter".to_owned()), "{subject:?}");
        }
        let cases = [
            (json!({"TopicArn": format!("{TOPIC}2"), "Message": "m"}), "NotFound"),
            (json!({"TopicArn": "people", "Message": "m"}), "InvalidParameter"),
            (json!({"Message": "m"}), "InvalidParameter"),
            (json!({"TopicArn": TOPIC, "Message": ""}), "InvalidParameter"),
            (json!({"TopicArn": TOPIC, "Message": "x".repeat(LONGEST_MESSAGE + 1)}), "InvalidParameter"),
            (json!({"PhoneNumber": "1", "Message": "m"}), "NotImplemented"),
        ];
        for (input, code) in cases {
            assert_eq!(publish(input), Err(code.to_owned()));
        }
        assert_eq!(sns.messages().len(), 1);
    }
}
