//! The Invoke API: which function is meant, how it is called, what the answer looks like.

use axum::http::request::Parts;
use axum::http::{Method, Response};
use bytes::Bytes;
use local_aws_core::{ApiError, BoxFuture, Caller, NoAnswer, RawAnswer, RawService};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use crate::answer::Outcome;
use crate::host::{LambdaHost, not_found};
use crate::outside::configured_function;

/// The most bytes that a synchronous invocation may be given.
const SYNCHRONOUS_LIMIT: usize = 6 * 1024 * 1024;
/// In which header the local Step Functions says which state calls, as `machine/state`. AWS sends nothing like it.
const STATE_HEADER: &str = "x-local-aws-state";
/// The most bytes that an asynchronous invocation may be given.
const ASYNCHRONOUS_LIMIT: usize = 1024 * 1024;

impl RawService for LambdaHost {
    fn name(&self) -> &'static str {
        "lambda"
    }

    fn claims(&self, request: &Parts) -> Option<String> {
        if self.by_url(request).is_some() {
            return Some("InvokeFunctionUrl".to_owned());
        }
        if configured_function(&request.method, request.uri.path()).is_some() {
            return Some("GetFunctionConfiguration".to_owned());
        }
        named_function(&request.method, request.uri.path())?;
        Some("Invoke".to_owned())
    }

    fn input(&self, request: &Parts) -> Value {
        let (method, path) = (&request.method, request.uri.path());
        let named = configured_function(method, path).or_else(|| named_function(method, path));
        named.map_or(Value::Null, |named| json!({"FunctionName": LambdaHost::arn(&function_and_qualifier(&named).0)}))
    }

    fn handle<'a>(&'a self, request: &'a Parts, body: Bytes, _: &'a Caller) -> BoxFuture<'a, RawAnswer> {
        Box::pin(async move { self.answer(request, body).await.unwrap_or_else(|error| refusal(&error)) })
    }
}

impl LambdaHost {
    async fn answer(&self, request: &Parts, body: Bytes) -> Result<RawAnswer, ApiError> {
        if let Some(function) = self.by_url(request) {
            return self.answer_browser(&function, request, &body).await;
        }
        if let Some(named) = configured_function(&request.method, request.uri.path()) {
            let configuration = self.configuration(&function_and_qualifier(&named).0)?;
            return Ok(respond(200, &[], configuration.to_string().into()));
        }
        let named = named_function(&request.method, request.uri.path()).unwrap_or_default();
        let (function, qualifier) = function_and_qualifier(&named);
        let qualifier = qualifier.or_else(|| query_qualifier(request.uri.query().unwrap_or_default()));
        if !self.inner().knows(&function, qualifier.as_deref()) {
            return Err(not_found(&named));
        }
        let kind = request.headers.get("x-amz-invocation-type").and_then(|kind| kind.to_str().ok());
        let payload = payload(body, kind == Some("Event"))?;
        let state = request.headers.get(STATE_HEADER).and_then(|state| state.to_str().ok()).map(str::to_owned);
        match kind.unwrap_or("RequestResponse") {
            "Event" => match self.inner().invoke_later(&function, state.as_deref(), payload)? {
                true => Ok(respond(202, &[], Bytes::new())),
                false => Ok(no_answer()),
            },
            "DryRun" => Ok(respond(204, &[], Bytes::new())),
            "RequestResponse" => {
                // On a task of its own: an invocation goes on when its caller hangs up.
                let host = self.inner().clone();
                let invoked = tokio::spawn(async move { host.invoke(&function, state.as_deref(), payload).await })
                    .await
                    .map_err(ApiError::internal)??;
                if matches!(invoked.outcome, Outcome::CutOff) {
                    return Ok(no_answer());
                }
                let (body, failed) = invoked.outcome.body(&invoked.request_id);
                let version = qualifier.filter(|name| name.parse::<u64>().is_ok());
                let mut headers = vec![
                    ("x-amzn-requestid", invoked.request_id.as_str()),
                    ("x-amz-executed-version", version.as_deref().unwrap_or("$LATEST")),
                ];
                if failed {
                    headers.push(("x-amz-function-error", "Unhandled"));
                }
                Ok(respond(200, &headers, body))
            }
            other => {
                Err(ApiError::new(400, "InvalidParameterValueException", format!("no such invocation type: {other}")))
            }
        }
    }
}

/// The name, ARN or partial ARN in an Invoke path.
fn named_function(method: &Method, path: &str) -> Option<String> {
    let named = path.strip_prefix("/2015-03-31/functions/")?.strip_suffix("/invocations")?;
    (method == Method::POST).then(|| percent_decode_str(named).decode_utf8_lossy().into_owned())
}

/// `name`, `name:qualifier`, `account:function:name` and the ARN, each with or without a qualifier.
fn function_and_qualifier(named: &str) -> (String, Option<String>) {
    let local = named.rsplit_once("function:").map_or(named, |(_, local)| local);
    match local.split_once(':') {
        Some((function, qualifier)) => (function.to_owned(), Some(qualifier.to_owned())),
        None => (local.to_owned(), None),
    }
}

fn query_qualifier(query: &str) -> Option<String> {
    let value = query.split('&').find_map(|pair| pair.strip_prefix("Qualifier="))?;
    Some(percent_decode_str(value).decode_utf8_lossy().into_owned())
}

/// An empty body is an empty event; anything else must be JSON.
fn payload(body: Bytes, asynchronous: bool) -> Result<Bytes, ApiError> {
    let limit = if asynchronous { ASYNCHRONOUS_LIMIT } else { SYNCHRONOUS_LIMIT };
    if body.len() > limit {
        let text = format!("{} byte payload is too large for the Invoke operation (limit {limit} bytes)", body.len());
        return Err(ApiError::new(413, "RequestTooLargeException", text));
    }
    if body.is_empty() {
        return Ok(Bytes::from_static(b"{}"));
    }
    match serde_json::from_slice::<serde::de::IgnoredAny>(&body) {
        Ok(_) => Ok(body),
        Err(error) => {
            let text = format!("Could not parse request body into json: {error}");
            Err(ApiError::new(400, "InvalidRequestContentException", text))
        }
    }
}

fn refusal(error: &ApiError) -> RawAnswer {
    let mut body = json!({"Type": "User", "Message": error.message, "message": error.message});
    if error.status == 429 {
        body["Reason"] = "ReservedFunctionConcurrentInvocationLimitExceeded".into();
    }
    let request_id = uuid::Uuid::new_v4().to_string();
    let headers = [("x-amzn-errortype", error.code.as_str()), ("x-amzn-requestid", &request_id)];
    respond(error.status, &headers, body.to_string().into())
}

/// The end of the connection, without a byte.
fn no_answer() -> RawAnswer {
    let mut answer = RawAnswer::default();
    answer.extensions_mut().insert(NoAnswer);
    answer
}

fn respond(status: u16, headers: &[(&str, &str)], body: Bytes) -> RawAnswer {
    let mut response = Response::builder().status(status).header("content-type", "application/json");
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(body).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_named_in_the_ways_that_the_api_allows() {
        let cases = [
            ("fence", "fence", None),
            ("fence:live", "fence", Some("live")),
            ("111122223333:function:fence", "fence", None),
            ("arn:aws:lambda:eu-west-1:111122223333:function:fence", "fence", None),
            ("arn:aws:lambda:eu-west-1:111122223333:function:fence:3", "fence", Some("3")),
        ];

        for (named, function, qualifier) in cases {
            assert_eq!(function_and_qualifier(named), (function.to_owned(), qualifier.map(str::to_owned)), "{named}");
        }
    }

    #[test]
    fn an_encoded_arn_in_the_path_is_decoded_and_other_paths_are_left_alone() {
        let path = "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aeu-west-1%3A1%3Afunction%3Afence/invocations";

        assert_eq!(named_function(&Method::POST, path).as_deref(), Some("arn:aws:lambda:eu-west-1:1:function:fence"));
        assert_eq!(named_function(&Method::GET, path), None);
        assert_eq!(named_function(&Method::POST, "/schedules/x"), None);
        assert_eq!(query_qualifier("a=b&Qualifier=%24LATEST").as_deref(), Some("$LATEST"));
    }

    #[test]
    fn a_body_that_is_no_json_is_refused() {
        assert_eq!(payload(Bytes::new(), false), Ok(Bytes::from_static(b"{}")));
        assert_eq!(
            payload(Bytes::from_static(b"{"), false).map_err(|error| error.code),
            Err("InvalidRequestContentException".to_owned())
        );
        assert_eq!(
            payload(Bytes::from(vec![b' '; ASYNCHRONOUS_LIMIT + 1]), true).map_err(|error| error.status),
            Err(413)
        );
    }
}
