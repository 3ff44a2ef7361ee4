//! Services that do nothing but show what the gateway makes of a call.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use local_aws_core::http::request::Parts;
use local_aws_core::http::{Response, StatusCode};
use local_aws_core::model::Model;
use local_aws_core::{
    BoxFuture, Bytes, Call, Caller, Controls, Effect, Fault, Gateway, RawAnswer, RawService, Reply, Service,
};
use serde_json::{Value, json};

use crate::example;

/// The side channel of the mirrors, beside AWS's own paths: `GET /mirror/last` has the operation, the input as
/// decoded and the output as given of the last call; `POST /mirror/fault` plans the fault in its body and forgets
/// all others.
#[derive(Clone, Default)]
pub struct Mirror {
    last: Arc<Mutex<Value>>,
    controls: Controls,
}

/// A gateway with a mirror behind every model.
pub async fn mirror_gateway() -> std::io::Result<Gateway> {
    let mirror = Mirror::default();
    let services = Model::all().iter().map(|model| mirror.service(model)).collect();
    let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    Gateway::bind(free, services, vec![Arc::new(mirror.clone())], mirror.controls).await
}

impl Mirror {
    fn service(&self, model: &'static Model) -> Arc<dyn Service> {
        Arc::new(MirrorService { model, last: self.last.clone() })
    }

    fn plan(&self, text: &str) -> Result<(), String> {
        let fault: Fault = text.parse().map_err(|error| format!("{error}"))?;
        self.controls.faults.clear();
        self.controls.faults.plan(fault);
        Ok(())
    }
}

impl RawService for Mirror {
    fn name(&self) -> &'static str {
        "mirror"
    }

    fn claims(&self, request: &Parts) -> Option<String> {
        request.uri.path().strip_prefix("/mirror/").map(str::to_owned)
    }

    fn handle<'a>(&'a self, request: &'a Parts, body: Bytes, _: &'a Caller) -> BoxFuture<'a, RawAnswer> {
        Box::pin(async move {
            let planned = match request.uri.path() {
                "/mirror/fault" => self.plan(&String::from_utf8_lossy(&body)),
                _ => Ok(()),
            };
            let mut answer = Response::new(Bytes::from(match &planned {
                Ok(()) => self.last.lock().unwrap_or_else(PoisonError::into_inner).to_string(),
                Err(reason) => reason.clone(),
            }));
            if planned.is_err() {
                *answer.status_mut() = StatusCode::BAD_REQUEST;
            }
            answer
        })
    }
}

struct MirrorService {
    model: &'static Model,
    last: Arc<Mutex<Value>>,
}

impl Service for MirrorService {
    fn name(&self) -> &'static str {
        self.model.name
    }

    fn call<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Reply> {
        Box::pin(async move {
            let output = example::output(self.model, &self.model.operations[&call.operation]);
            let seen = json!({"operation": call.operation, "input": call.input, "output": output});
            *self.last.lock().unwrap_or_else(PoisonError::into_inner) = seen;
            Ok(output)
        })
    }
}

impl Mirror {
    /// Every call of an operation is refused with this error.
    pub fn refusal(service: &str, operation: &str, code: &str, status: u16) -> Fault {
        let effect = Effect::Error { code: code.to_owned(), status, message: "on purpose".to_owned() };
        Fault::every(service, operation, effect)
    }
}
