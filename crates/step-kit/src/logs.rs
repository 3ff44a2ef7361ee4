//! Log lines: JSON on standard error, and nothing that is a password or a verifier of one. Foreign text is redacted where
//! it enters; this is the backstop.

use std::borrow::Cow;
use std::io::{self, Write};

use pgleap_contract::redact;
use serde_json::Value;

pub(crate) fn init() {
    let level = std::env::var("AWS_LAMBDA_LOG_LEVEL").unwrap_or_else(|_| "info".to_owned());
    let filter =
        tracing_subscriber::EnvFilter::try_new(format!("{level},aws_config=warn,aws_smithy_runtime=warn,hyper=warn"))
            .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_target(false)
        .with_env_filter(filter)
        .with_writer(|| Redacting(io::stderr()))
        .init();
}

/// A writer of whole lines: tracing-subscriber writes each event by one call.
struct Redacting<W>(W);

impl<W: Write> Write for Redacting<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.write_all(&redacted(line))?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// The line as it is, or with each of its strings redacted, so that it stays JSON.
fn redacted(line: &[u8]) -> Cow<'_, [u8]> {
    let text = String::from_utf8_lossy(line);
    let clean = redact(&text);
    if clean == text {
        return Cow::Borrowed(line);
    }
    let Ok(mut value) = serde_json::from_str::<Value>(&text) else { return Cow::Owned(clean.into_bytes()) };
    redact_strings(&mut value);
    Cow::Owned(format!("{value}\n").into_bytes())
}

fn redact_strings(value: &mut Value) {
    match value {
        Value::String(text) => *text = redact(text),
        Value::Array(values) => values.iter_mut().for_each(redact_strings),
        Value::Object(members) => members.values_mut().for_each(redact_strings),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_loses_its_secrets_and_stays_a_line_of_json() {
        let log = "ALTER ROLE a PASSWORD 'SCRAM-SHA-256$4096:c2FsdA==$U3RvcmVk:U2VydmVy'; md5a3556571e93b0d20722ba62be61e8c2d";
        let line =
            format!("{}\n", serde_json::json!({"level": "WARN", "message": log, "span": {"cut": "PASSWORD 'abc"}}));
        let mut written = Vec::new();

        Redacting(&mut written).write_all(line.as_bytes()).expect("a write");

        let written = String::from_utf8(written).expect("text");
        let value: Value = serde_json::from_str(&written).expect("JSON");
        assert_eq!(value["message"], "ALTER ROLE a PASSWORD (a password); (a password verifier)");
        assert_eq!(value["span"]["cut"], "PASSWORD (a password)");
        assert!(written.ends_with("}\n"), "{written}");
    }

    #[test]
    fn a_line_without_secrets_is_written_as_it_is() {
        for line in ["{\"z\":1,\"a\":\"password authentication failed\"}\n", "no JSON\n"] {
            assert_eq!(redacted(line.as_bytes()), line.as_bytes());
        }
    }
}
