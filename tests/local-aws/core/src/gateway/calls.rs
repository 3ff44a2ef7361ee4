//! One call from its request to its fate.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use axum::http::request::Parts;
use bytes::Bytes;
use serde_json::Value;

use super::scope::{self, Scope};
use super::{ChangeBatchErrors, Controls};
use crate::call_log::{LoggedCall, Outcome};
use crate::faults::Effect;
use crate::model::{JsonVersion, Model, Operation, Protocol};
use crate::wire::{self, ErrorForm, denial_code, error_answer, throttling_code};
use crate::{ApiError, Call, Caller, NoAnswer, RawAnswer, RawService, Service};

/// The services behind one gateway.
pub(super) struct Calls {
    pub(super) services: Vec<Arc<dyn Service>>,
    pub(super) raw: Vec<Arc<dyn RawService>>,
    pub(super) controls: Controls,
}

/// What goes back: an answer, or nothing but the end of the connection.
pub(super) enum Fate {
    Answer(RawAnswer),
    HangUp,
}

/// A refusal where no service was found.
pub(super) fn refuse(error: &ApiError) -> Fate {
    Fate::Answer(error_answer(ErrorForm::RestJson, error, "message", &request_id()))
}

impl Calls {
    /// Raw services first, then the models.
    pub(super) async fn fate(self: Arc<Self>, parts: Parts, body: Bytes) -> Fate {
        let scope = Scope::of(&parts);
        for raw in &self.raw {
            if let Some(operation) = raw.claims(&parts) {
                return self.raw_fate(raw.as_ref(), &operation, &parts, body, scope.as_ref()).await;
            }
        }
        match (scope::model(&parts, scope.as_ref()), scope) {
            (Some(model), Some(scope)) => {
                // On a task of its own: a client that goes away does not undo what it asked for.
                let carried_out = tokio::spawn(async move { self.modelled_fate(model, &parts, &body, &scope).await });
                carried_out.await.unwrap_or_else(|error| refuse(&ApiError::internal(error)))
            }
            (Some(model), None) => Fate::Answer(unsigned(model)),
            (None, _) => {
                let target = parts.headers.get("x-amz-target").and_then(|value| value.to_str().ok()).unwrap_or("none");
                let text = format!("no service for {} {}, x-amz-target {target}", parts.method, parts.uri);
                refuse(&ApiError::new(404, "UnknownService", format!("local stand-in: {text}")))
            }
        }
    }

    async fn raw_fate(
        &self,
        raw: &dyn RawService,
        operation: &str,
        parts: &Parts,
        body: Bytes,
        scope: Option<&Scope>,
    ) -> Fate {
        let caller = Scope::caller(scope);
        let entry = Entry::new(&caller, raw.name(), operation);
        let targeted = parts.headers.contains_key("x-amz-target");
        let form = if targeted { ErrorForm::Json(JsonVersion::V10) } else { ErrorForm::RestJson };
        let refuse = |error: &ApiError| error_answer(form, error, "message", &request_id());
        // What nobody signed is no API call but a runtime that talks to its host.
        if let (Some(_), Err(error)) = (scope, self.allow(&caller, raw.name(), operation, &raw.input(parts))) {
            let answer = refuse(&error);
            self.write_down(entry, refused(&error, false), None);
            return Fate::Answer(answer);
        }
        let carry_out = async {
            let answer = raw.handle(parts, body, &caller).await;
            (raw_outcome(&answer), answer)
        };
        match self.struck(entry, carry_out, refuse).await {
            Fate::Answer(answer) if answer.extensions().get::<NoAnswer>().is_some() => Fate::HangUp,
            fate => fate,
        }
    }

    async fn modelled_fate(&self, model: &'static Model, parts: &Parts, body: &[u8], scope: &Scope) -> Fate {
        let caller = Scope::caller(Some(scope));
        let body = String::from_utf8_lossy(body);
        let asked = match wire::operation(model, parts, &body) {
            Ok(asked) => asked,
            Err(error) => {
                self.write_down(Entry::new(&caller, model.name, "unknown"), refused(&error, false), None);
                return Fate::Answer(error_answer(ErrorForm::of(model), &error, "message", &request_id()));
            }
        };
        let operation = asked.operation;
        let entry = Entry::new(&caller, model.name, &operation.name);
        let id = request_id();
        let refuse = |error: &ApiError| self.modelled_error(model, operation, error, &id);
        let allowed = wire::input(model, &asked, parts, &body)
            .and_then(|input| self.allow(&caller, model.name, &operation.name, &input).map(|()| input));
        match allowed {
            Ok(input) => {
                let call = Call { operation: operation.name.clone(), input, caller, request_id: id.clone() };
                self.struck(entry, self.carry_out(model, operation, call), refuse).await
            }
            Err(error) => {
                self.write_down(entry, refused_by(operation, &error), None);
                Fate::Answer(refuse(&error))
            }
        }
    }

    fn allow(&self, caller: &Caller, service: &str, operation: &str, input: &Value) -> Result<(), ApiError> {
        self.controls.authorize.authorize(caller, service, operation, input)
    }

    /// Carry a call out, unless a planned fault strikes; then write it down.
    async fn struck(
        &self,
        entry: Entry,
        carry_out: impl Future<Output = (Outcome, RawAnswer)>,
        refuse: impl Fn(&ApiError) -> RawAnswer,
    ) -> Fate {
        let effect = self.controls.faults.strike(&entry.caller, &entry.service, &entry.operation);
        let (outcome, fate) = match &effect {
            None => {
                let (outcome, answer) = carry_out.await;
                (outcome, Fate::Answer(answer))
            }
            Some(Effect::LoseAnswer) => (carry_out.await.0, Fate::HangUp),
            Some(Effect::Die) => (Outcome::NotCarriedOut, Fate::HangUp),
            Some(Effect::Hang(duration)) => {
                tokio::time::sleep(*duration).await;
                (Outcome::NotCarriedOut, Fate::HangUp)
            }
            Some(Effect::Throttle) => {
                let (status, code) = throttling_code(&entry.service);
                let error = ApiError::new(status, code, "Rate exceeded");
                (Outcome::NotCarriedOut, Fate::Answer(refuse(&error)))
            }
            Some(Effect::Deny) => {
                let (status, code) = denial_code(&entry.service);
                let text = format!("{} is not authorized to perform: {}", entry.caller, entry.operation);
                (Outcome::NotCarriedOut, Fate::Answer(refuse(&ApiError::new(status, code, text))))
            }
            Some(Effect::Error { code, status, message }) => {
                let error = ApiError::new(*status, code, message.clone());
                (Outcome::NotCarriedOut, Fate::Answer(refuse(&error)))
            }
        };
        self.write_down(entry, outcome, effect);
        fate
    }

    async fn carry_out(&self, model: &'static Model, operation: &Operation, call: Call) -> (Outcome, RawAnswer) {
        let id = call.request_id.clone();
        let answer = self.output(model, operation, call).await;
        match answer.and_then(|output| wire::answer(model, operation, &output, &id)) {
            Ok(answer) => (Outcome::Answered, answer),
            Err(error) => (refused_by(operation, &error), self.modelled_error(model, operation, &error, &id)),
        }
    }

    /// On a task of its own, so that a service that panics answers like one that fails.
    async fn output(&self, model: &'static Model, operation: &Operation, call: Call) -> Result<Value, ApiError> {
        let service = self.services.iter().find(|service| service.name() == model.name).cloned();
        let missing = || ApiError::not_implemented(&format!("{} of {}", operation.name, model.name));
        let service = service.ok_or_else(missing)?;
        let carried_out = tokio::spawn(async move { service.call(&call).await }).await;
        carried_out.unwrap_or_else(|error| {
            tracing::error!(service = model.name, operation = operation.name, %error, "the service broke");
            Err(ApiError::internal(error))
        })
    }

    fn modelled_error(&self, model: &'static Model, operation: &Operation, error: &ApiError, id: &str) -> RawAnswer {
        let listed = operation.errors.iter().find(|listed| listed.code == error.code);
        let message_member = listed.map_or("message", |listed| listed.message_member.as_str());
        let form = match (ErrorForm::of(model), self.controls.change_batch_errors, error.code.as_str()) {
            (ErrorForm::Xml(namespace), ChangeBatchErrors::Messages, "InvalidChangeBatch") => {
                ErrorForm::ChangeBatchMessages(namespace)
            }
            (form, _, _) => form,
        };
        error_answer(form, error, message_member, id)
    }

    fn write_down(&self, entry: Entry, outcome: Outcome, fault: Option<Effect>) {
        tracing::debug!(caller = entry.caller, service = entry.service, operation = entry.operation, ?outcome, ?fault);
        self.controls.log.push(LoggedCall {
            number: 0,
            caller: entry.caller,
            service: entry.service,
            operation: entry.operation,
            outcome,
            fault,
            at: entry.at,
            took: entry.since.elapsed(),
        });
    }
}

/// A call under way.
struct Entry {
    caller: String,
    service: String,
    operation: String,
    at: SystemTime,
    since: Instant,
}

impl Entry {
    fn new(caller: &Caller, service: &str, operation: &str) -> Self {
        Self {
            caller: caller.access_key_id.clone(),
            service: service.to_owned(),
            operation: operation.to_owned(),
            at: SystemTime::now(),
            since: Instant::now(),
        }
    }
}

fn refused_by(operation: &Operation, error: &ApiError) -> Outcome {
    refused(error, operation.errors.iter().any(|listed| listed.code == error.code && listed.status == error.status))
}

fn refused(error: &ApiError, listed: bool) -> Outcome {
    Outcome::Refused { status: error.status, code: error.code.clone(), listed }
}

/// A raw service's answer tells its error in a header, if it is one.
fn raw_outcome(answer: &RawAnswer) -> Outcome {
    let status = answer.status();
    if status.is_client_error() || status.is_server_error() {
        let code = answer.headers().get("x-amzn-errortype").and_then(|code| code.to_str().ok()).unwrap_or_default();
        return Outcome::Refused { status: status.as_u16(), code: code.to_owned(), listed: false };
    }
    Outcome::Answered
}

fn unsigned(model: &'static Model) -> RawAnswer {
    let code = match model.protocol {
        Protocol::Query | Protocol::Ec2 | Protocol::RestXml => "MissingAuthenticationToken",
        Protocol::Json(_) | Protocol::RestJson => "MissingAuthenticationTokenException",
    };
    let error = ApiError::new(403, code, "Request is missing Authentication Token");
    error_answer(ErrorForm::of(model), &error, "message", &request_id())
}

fn request_id() -> String {
    uuid::Uuid::new_v4().to_string()
}
