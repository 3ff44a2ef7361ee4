//! What a service is, and what services may ask of each other.

use axum::http::request::Parts;
use bytes::Bytes;
use serde_json::Value;

use crate::{ApiError, BoxFuture, Call, Caller, Reply};

/// One AWS service: behaviour behind a model.
pub trait Service: Send + Sync + 'static {
    /// The model's name, e.g. `rds`, `dms`, `route53`, `secretsmanager`, `scheduler`, `lambda`, `events`.
    fn name(&self) -> &'static str;

    /// Carry out one call. Unknown operations answer [`ApiError::not_implemented`].
    fn call<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Reply>;
}

/// Reads a secret's string by ARN or name: DMS asks Secrets Manager for the logins of its endpoints.
pub trait ReadSecret: Send + Sync + 'static {
    /// The current version's `SecretString`.
    fn secret_string(&self, id: &str) -> Result<String, ApiError>;
}

/// Delivers an input to the thing behind an ARN (a function, a state machine): Scheduler and EventBridge's rules.
pub trait Deliver: Send + Sync + 'static {
    /// Start it; the answer says only whether it was accepted.
    fn deliver<'a>(&'a self, target_arn: &'a str, input: Value) -> BoxFuture<'a, Result<(), ApiError>>;
}

/// A service that speaks HTTP itself, beside the modelled ones: Lambda's Invoke and Runtime APIs, and the way
/// through to the Step Functions interpreter. The gateway asks these first, in order, before it looks at models.
///
/// [`RawService::handle`] is dropped when the client goes away. What must go on without its client (an invocation)
/// belongs on a task of its own.
pub trait RawService: Send + Sync + 'static {
    /// The name in faults and in the call log, e.g. `lambda`, `states`.
    fn name(&self) -> &'static str;

    /// The operation if this request belongs here, e.g. `Invoke`; `None` leaves it to the others.
    fn claims(&self, request: &Parts) -> Option<String>;

    /// What policies look at, by the model's member names; null where they look at the action alone.
    fn input(&self, _request: &Parts) -> Value {
        Value::Null
    }

    /// Answer it. The body is complete; the caller comes from the SigV4 scope, with an empty key id if unsigned.
    fn handle<'a>(&'a self, request: &'a Parts, body: Bytes, caller: &'a Caller) -> BoxFuture<'a, RawAnswer>;
}

/// What a [`RawService`] answers.
pub type RawAnswer = axum::http::Response<Bytes>;

/// Among the extensions of a [`RawAnswer`]: the connection ends without a byte, as where an answer gets lost.
#[derive(Debug, Clone, Copy)]
pub struct NoAnswer;

/// Decides whether a caller may make a call, before the service or a fault sees it.
pub trait Authorize: Send + Sync + 'static {
    /// `service` and `operation` by their names in the model; `input` of a [`RawService`] is what it says.
    /// A refusal is the error the service would answer, e.g. `AccessDenied` for RDS.
    fn authorize(&self, caller: &Caller, service: &str, operation: &str, input: &Value) -> Result<(), ApiError>;
}

/// Everybody may do everything: the default.
#[derive(Debug, Clone, Copy, Default)]
pub struct AllowAll;

impl Authorize for AllowAll {
    fn authorize(&self, _: &Caller, _: &str, _: &str, _: &Value) -> Result<(), ApiError> {
        Ok(())
    }
}
