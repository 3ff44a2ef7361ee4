//! Functions of somebody else's: they run in this process, for whoever rehearses with a hook of an operator's.

use std::sync::Arc;
use std::time::Duration;

use axum::http::Method;
use local_aws_core::{ApiError, BoxFuture};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use crate::answer::Outcome;
use crate::host::{Inner, LambdaHost, not_found};

/// What such a function does with an event: its answer, or its error's message.
pub type Handler = Arc<dyn Fn(Value) -> BoxFuture<'static, Result<Value, String>> + Send + Sync>;

/// A function of somebody else's.
#[derive(Clone)]
pub struct OutsideFunction {
    /// `Timeout`: an invocation that takes longer is given up.
    pub timeout: Duration,
    /// `State`: `Active`, `Pending`, `Inactive` or `Failed`.
    pub state: &'static str,
    /// What it does.
    pub handler: Handler,
}

impl std::fmt::Debug for OutsideFunction {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("OutsideFunction").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

impl LambdaHost {
    /// Add a function of somebody else's, or replace it.
    pub fn register_outside(&self, name: &str, function: OutsideFunction) {
        self.inner().state().outside.insert(name.to_owned(), function);
    }

    /// What `GetFunctionConfiguration` answers.
    pub(crate) fn configuration(&self, name: &str) -> Result<Value, ApiError> {
        let state = self.inner().state();
        let (timeout, is) = match (state.outside.get(name), state.functions.get(name)) {
            (Some(outside), _) => (outside.timeout, outside.state),
            (None, Some(own)) => (own.config.timeout, "Active"),
            (None, None) => return Err(not_found(name)),
        };
        Ok(json!({"FunctionName": name, "FunctionArn": Self::arn(name), "Timeout": timeout.as_secs(), "State": is}))
    }
}

impl Inner {
    /// Call one of them, if there is one of that name. It goes on when its caller hangs up.
    pub(crate) async fn invoke_outside(&self, name: &str, payload: &[u8]) -> Option<Outcome> {
        let function = self.state().outside.get(name).cloned()?;
        let event = serde_json::from_slice(payload).unwrap_or_default();
        let answered = tokio::spawn(tokio::time::timeout(function.timeout, (function.handler)(event))).await;
        Some(match answered {
            Ok(Ok(Ok(answer))) => Outcome::Answered(answer.to_string().into()),
            Ok(Ok(Err(message))) => {
                Outcome::Failed(json!({"errorType": "Error", "errorMessage": message}).to_string().into())
            }
            Ok(Err(_elapsed)) => Outcome::TimedOut(function.timeout),
            Err(panicked) => {
                Outcome::Failed(json!({"errorType": "Error", "errorMessage": panicked.to_string()}).to_string().into())
            }
        })
    }
}

/// The name, ARN or partial ARN in a path of GetFunctionConfiguration.
pub(crate) fn configured_function(method: &Method, path: &str) -> Option<String> {
    let named = path.strip_prefix("/2015-03-31/functions/")?.strip_suffix("/configuration")?;
    (method == Method::GET).then(|| percent_decode_str(named).decode_utf8_lossy().into_owned())
}
