//! A function of the operator's that moves clients: what it is told, and what its failure says.

use std::time::Duration;

use aws_sdk_lambda::Client;
use aws_sdk_lambda::config::Builder;
use aws_sdk_lambda::config::StalledStreamProtectionConfig;
use aws_sdk_lambda::config::retry::RetryConfig;
use aws_sdk_lambda::config::timeout::TimeoutConfig;
use aws_sdk_lambda::primitives::Blob;
use pgleap_contract::{ErrorCode, Generation, Hook, Run, redact};
use pgleap_step_kit::aws::{AwsError, Class, Doing};
use pgleap_step_kit::{Ctx, StepError, StepResult};
use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Version of what a hook is told.
const CONTRACT: u32 = 1;
/// Beyond the function's own timeout: the call and its answer on the way.
const ON_THE_WAY: Duration = Duration::from_secs(3);
/// Longest error text of a hook that a message carries.
const LONGEST: usize = 300;

/// Where a cutover moves clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Direction {
    /// To the target.
    Forward,
    /// Back to the source.
    Back,
}

/// What a hook is told. It is documented for operators: docs/other-clients.md.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Event<'a> {
    /// Version of this event.
    pub pgleap: u32,
    /// The run.
    pub run_id: &'a str,
    /// Where clients shall go.
    pub direction: Direction,
    /// Which cutover of the run; an older one than the newest that the hook has seen is refused by it.
    pub generation: Generation,
    /// The host that clients use now; null in a rollback whose target is gone.
    pub from: Option<&'a str>,
    /// The host that they shall use.
    pub to: &'a str,
    /// After this moment the hook must change nothing.
    pub deadline: String,
}

impl<'a> Event<'a> {
    /// For a run's cutover.
    pub fn new(
        run: &'a Run,
        direction: Direction,
        generation: Generation,
        (from, to): (Option<&'a str>, &'a str),
        deadline_epoch_ms: i64,
    ) -> Self {
        let moment = OffsetDateTime::from_unix_timestamp_nanos(i128::from(deadline_epoch_ms) * 1_000_000);
        let deadline = moment.ok().and_then(|moment| moment.format(&Rfc3339).ok()).unwrap_or_default();
        Self { pgleap: CONTRACT, run_id: run.id.as_str(), direction, generation, from, to, deadline }
    }
}

/// A function as Lambda describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Configuration {
    /// Its own timeout.
    pub timeout_seconds: u32,
    /// `Active`, if it can be called at once.
    pub state: String,
}

/// Lambda, for one step.
#[derive(Debug, Clone)]
pub struct Hooks {
    client: Client,
}

impl Hooks {
    /// With the step's configuration, but without retries: a call that was sent twice would only be a burden on the hook.
    pub fn new(ctx: &Ctx) -> Self {
        let config = Builder::from(ctx.aws())
            .retry_config(RetryConfig::disabled())
            .timeout_config(TimeoutConfig::builder().connect_timeout(Duration::from_secs(3)).build())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .build();
        Self { client: Client::from_conf(config) }
    }

    /// What Lambda says about a hook.
    pub async fn describe(&self, hook: &Hook) -> StepResult<Configuration> {
        let arn = &hook.function_arn;
        let answer = self.client.get_function_configuration().function_name(arn).send().await;
        let found = answer.doing(format!("describe function {arn}")).map_err(error_of)?;
        Ok(Configuration {
            timeout_seconds: found.timeout.and_then(|seconds| u32::try_from(seconds).ok()).unwrap_or(0),
            state: found.state.map(|state| state.as_str().to_owned()).unwrap_or_default(),
        })
    }

    /// Call a hook and wait for its answer.
    pub async fn call(&self, hook: &Hook, event: &Event<'_>) -> StepResult<()> {
        let arn = &hook.function_arn;
        let payload = serde_json::to_vec(event).expect("plain data");
        let invoke = self.client.invoke().function_name(arn).payload(Blob::new(payload)).send();
        let longest = Duration::from_secs(u64::from(hook.timeout_seconds)) + ON_THE_WAY;
        let late = || failed(arn, &format!("no answer after {} s", longest.as_secs()));
        let answer = tokio::time::timeout(longest, invoke).await.map_err(|_elapsed| late())?;
        let answer = answer.doing(format!("call function {arn}")).map_err(error_of)?;
        match answer.function_error {
            None => Ok(()),
            Some(_) => Err(failed(arn, &message_of(answer.payload.as_ref().map_or(&[], |payload| payload.as_ref())))),
        }
    }
}

/// What a function says about its error, shortened, and without what looks like a secret.
fn message_of(payload: &[u8]) -> String {
    let error: Value = serde_json::from_slice(payload).unwrap_or_default();
    let text = |member: &str| error[member].as_str().unwrap_or_default().to_owned();
    let message = redact(&format!("{}: {}", text("errorType"), text("errorMessage")));
    message.chars().take(LONGEST).collect()
}

fn failed(arn: &str, reason: &str) -> StepError {
    StepError::new(ErrorCode::HookFailed, format!("call function {arn}: {reason}"))
}

fn error_of(error: AwsError) -> StepError {
    match error.class {
        // A function that is not there, that is not active, or that refuses the call.
        Class::NotFound | Class::AlreadyThere | Class::WrongState | Class::Refused | Class::Bug => {
            StepError::new(ErrorCode::HookFailed, error.to_string())
        }
        _ => error.advise_if_denied(|| "the stack's parameter HookFunctionArns must contain it".to_owned()).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_hook_is_told_what_the_page_says() {
        let run: Run = serde_json::from_value(json!({
            "id": "orders-18", "executionArn": "arn", "mode": "upgrade", "copy": {}, "choices": {}, "limits": {},
            "source": { "instance": "db", "loginSecret": "s" }, "target": { "version": "18" },
            "record": { "zoneId": "Z", "name": "db.example.com" },
        }))
        .expect("a run");
        let event = Event::new(&run, Direction::Back, Generation::FORWARD, (None, "db.x"), 1_795_338_000_000);

        let expected = json!({
            "pgleap": 1, "runId": "orders-18", "direction": "back", "generation": 1, "from": null, "to": "db.x",
            "deadline": "2026-11-22T09:00:00Z",
        });
        assert_eq!(serde_json::to_value(&event).expect("JSON"), expected);
    }

    #[test]
    fn a_failure_says_what_the_function_said() {
        let cases = [
            (json!({"errorType": "KeyError", "errorMessage": "'host'"}).to_string(), "KeyError: 'host'".to_owned()),
            (json!({"errorType": "E", "errorMessage": "x".repeat(900)}).to_string(), format!("E: {}", "x".repeat(297))),
            ("no JSON".to_owned(), ": ".to_owned()),
        ];
        for (payload, expected) in cases {
            assert_eq!(message_of(payload.as_bytes()), expected);
        }
    }
}
