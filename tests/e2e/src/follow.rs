//! What the clients of a rehearsal read the host from: the record, a secret, or what a hook of the operator's changes.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use local_aws_core::BoxFuture;
use local_aws_lambda::{LambdaHost, OutsideFunction};
use serde_json::{Value, json};

use crate::stage::RECORD;

/// The operator's function.
const HOOK: &str = "move-shop-clients";
const TIMEOUT: Duration = Duration::from_secs(10);

/// What all clients follow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Follow {
    /// The record.
    #[default]
    Record,
    /// A secret of Secrets Manager, which they read for every connection.
    Secret,
    /// A configuration that a Lambda function of the operator's changes.
    Hook,
}

/// Where a client finds the host.
#[derive(Debug, Clone)]
pub enum HostSource {
    /// A name.
    Name(String),
    /// The member `host` of a secret.
    Secret {
        /// Secrets Manager, as the clients reach it.
        client: aws_sdk_secretsmanager::Client,
        /// The secret's ARN.
        id: String,
    },
    /// What the hook changes.
    Hook(Arc<Mutex<Hooked>>),
}

/// The configuration that a hook changes, and what it remembers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hooked {
    host: String,
    /// Generation and direction of the newest call.
    seen: Option<(u64, String)>,
}

impl HostSource {
    /// The record.
    pub fn record() -> Self {
        Self::Name(RECORD.to_owned())
    }

    /// A configuration with this host, and the hook that changes it.
    pub fn hook(lambda: &LambdaHost, host: &str) -> Self {
        let hooked = Arc::new(Mutex::new(Hooked { host: host.to_owned(), seen: None }));
        let called = Arc::clone(&hooked);
        let handler = Arc::new(move |event: Value| {
            let answer = called.lock().unwrap_or_else(PoisonError::into_inner).take(&event);
            let answer: BoxFuture<'static, Result<Value, String>> = Box::pin(async move { answer });
            answer
        });
        lambda.register_outside(HOOK, OutsideFunction { timeout: TIMEOUT, state: "Active", handler });
        Self::Hook(hooked)
    }

    /// The host to connect to now.
    pub async fn read(&self) -> Result<String> {
        match self {
            HostSource::Name(name) => Ok(name.clone()),
            HostSource::Secret { client, id } => {
                let read = client.get_secret_value().secret_id(id).send().await.context("read the clients' secret")?;
                let value: Value = serde_json::from_str(read.secret_string().context("the secret has no text")?)
                    .map_err(|_| anyhow::anyhow!("the clients' secret is no JSON"))?;
                Ok(value["host"].as_str().context("the clients' secret has no host")?.to_owned())
            }
            HostSource::Hook(hooked) => Ok(hooked.lock().unwrap_or_else(PoisonError::into_inner).host.clone()),
        }
    }

    /// For people.
    pub fn name(&self) -> &str {
        match self {
            HostSource::Name(name) => name,
            HostSource::Secret { .. } => "the host in their secret",
            HostSource::Hook(_) => "the host that a hook gives them",
        }
    }

    /// What the run must be told about it.
    pub fn input(&self) -> Value {
        match self {
            HostSource::Name(_) => json!({}),
            HostSource::Secret { id, .. } => json!({ "clients": { "secrets": [{ "secretId": id }] } }),
            HostSource::Hook(_) => json!({ "clients": { "hooks": [{ "functionArn": LambdaHost::arn(HOOK) }] } }),
        }
    }

    /// What the stack must be told about it.
    pub fn parameter(&self) -> Option<(&'static str, String)> {
        match self {
            HostSource::Name(_) => None,
            HostSource::Secret { id, .. } => Some(("ClientSecretArns", id.clone())),
            HostSource::Hook(_) => Some(("HookFunctionArns", LambdaHost::arn(HOOK))),
        }
    }
}

impl Hooked {
    /// As docs/other-clients.md asks of a hook.
    fn take(&mut self, event: &Value) -> Result<Value, String> {
        let text = |member: &str| event[member].as_str().unwrap_or_default().to_owned();
        let (generation, direction) = (event["generation"].as_u64().unwrap_or(0), text("direction"));
        if let Some((newest, last)) = &self.seen {
            let is_late = generation == *newest && direction == "forward" && last == "back";
            if generation < *newest || is_late {
                return Err("this call is older than what was seen".to_owned());
            }
        }
        self.seen = Some((generation, direction));
        self.host = text("to");
        Ok(json!({}))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_call_of_the_hook_moves_nobody() {
        let mut hooked = Hooked { host: "a".to_owned(), seen: None };
        let event = |generation: u64, direction: &str, to: &str| json!({"generation": generation, "direction": direction, "to": to});
        let cases = [
            (event(1, "forward", "b"), true, "b"),
            (event(1, "back", "a"), true, "a"),
            (event(1, "forward", "b"), false, "a"),
            (event(1, "back", "a"), true, "a"),
            (event(2, "forward", "b"), true, "b"),
            (event(1, "back", "a"), false, "b"),
        ];
        for (event, accepted, host) in cases {
            assert_eq!(hooked.take(&event).is_ok(), accepted, "{event}");
            assert_eq!(hooked.host, host, "{event}");
        }
    }
}
