//! The wire: requests into inputs, outputs and errors into answers, for every protocol, by the models alone.

mod error;
mod json;
mod query;
mod rest;
mod scalar;
mod xml;

use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Response, StatusCode};
use bytes::Bytes;
use serde_json::{Map, Value};

use crate::model::{JsonVersion, Model, Operation, Problem, Protocol};
use crate::{ApiError, RawAnswer};

pub use error::{ErrorForm, denial_code, error_answer, throttling_code};

/// Why a request has no input.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Malformed {
    /// The body is no form, no JSON, no XML; the reader's own words.
    Body(String),
    /// The input does not fit the model.
    Input(Problem),
}

impl From<Problem> for Malformed {
    fn from(problem: Problem) -> Self {
        Self::Input(problem)
    }
}

/// What a request asks for.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) operation: &'a Operation,
    labels: Vec<(String, String)>,
    form: Vec<(String, String)>,
}

/// The operation of a request to this service, or the refusal.
pub(crate) fn operation<'a>(model: &'a Model, parts: &Parts, body: &str) -> Result<Asked<'a>, ApiError> {
    let (name, form) = match model.protocol {
        Protocol::RestJson | Protocol::RestXml => {
            return match rest::route(model, parts.method.as_str(), parts.uri.path()) {
                rest::Route::Served(operation, labels) => Ok(Asked { operation, labels, form: Vec::new() }),
                rest::Route::NotServed(name) => Err(ApiError::not_implemented(name)),
                rest::Route::Unknown => Err(error::unknown_operation(model, parts.uri.path())),
            };
        }
        Protocol::Json(_) => (target_operation(parts), Vec::new()),
        Protocol::Query | Protocol::Ec2 => {
            let text = if body.is_empty() { parts.uri.query().unwrap_or_default() } else { body };
            let form = query::form(text);
            let version = form.iter().find(|(key, _)| key == "Version").map(|(_, value)| value.clone());
            if version.as_ref().is_some_and(|version| *version != model.api_version) {
                return Err(error::unknown_version(&version.unwrap_or_default()));
            }
            (form.iter().find(|(key, _)| key == "Action").map(|(_, value)| value.clone()).unwrap_or_default(), form)
        }
    };
    match model.operations.get(&name) {
        Some(operation) => Ok(Asked { operation, labels: Vec::new(), form }),
        None if model.not_served.contains_key(&name) => Err(ApiError::not_implemented(&name)),
        None => Err(error::unknown_operation(model, &name)),
    }
}

/// `x-amz-target: AmazonDMSv20160101.CreateEndpoint` names `CreateEndpoint`.
fn target_operation(parts: &Parts) -> String {
    let target = parts.headers.get("x-amz-target").and_then(|value| value.to_str().ok()).unwrap_or_default();
    target.rsplit_once('.').map_or(target, |(_, name)| name).to_owned()
}

/// The input of a request, or every reason why there is none.
pub(crate) fn input(model: &Model, asked: &Asked<'_>, parts: &Parts, body: &str) -> Result<Value, ApiError> {
    let decoded = decode(model, asked, parts, body).map_err(|malformed| error::malformed(model, &malformed))?;
    let problems = crate::model::check_input(model, asked.operation, &decoded);
    if problems.is_empty() { Ok(decoded) } else { Err(error::refused(model, &problems)) }
}

fn decode(model: &Model, asked: &Asked<'_>, parts: &Parts, body: &str) -> Result<Value, Malformed> {
    let operation = asked.operation;
    let sent =
        rest::Sent { labels: &asked.labels, query: parts.uri.query().unwrap_or_default(), headers: &parts.headers };
    let mut input: Map<String, Value> = match model.protocol {
        Protocol::Query | Protocol::Ec2 => return Ok(query::decode(model, operation, &asked.form)?),
        Protocol::Json(_) => return rest::decode_json_body(model, operation, body).map(Value::Object),
        Protocol::RestJson => rest::decode_json_body(model, operation, body)?,
        Protocol::RestXml => rest::decode_xml_body(model, operation, body)?,
    };
    input.extend(rest::decode_outside(model, operation, &sent)?);
    Ok(Value::Object(input))
}

/// An output as an answer, if it fits the model.
pub(crate) fn answer(
    model: &Model,
    operation: &Operation,
    output: &Value,
    request_id: &str,
) -> Result<RawAnswer, ApiError> {
    let problems = crate::model::check_output(model, operation, output);
    if !problems.is_empty() {
        return Err(error::unfit_answer(operation, &problems));
    }
    let status = StatusCode::from_u16(operation.status).unwrap_or(StatusCode::OK);
    let members = model.output_members(operation);
    let (content_type, body) = match model.protocol {
        Protocol::Query => ("text/xml", query::encode(model, operation, output, request_id)),
        Protocol::Ec2 => ("text/xml", query::encode_ec2(model, operation, output, request_id)),
        Protocol::Json(version) => (json_content_type(version), json::encode(model, members, output).to_string()),
        Protocol::RestJson => ("application/json", json::encode(model, members, output).to_string()),
        Protocol::RestXml => ("text/xml", rest::encode_xml(model, operation, output)),
    };
    let mut response = response(status, content_type, body, request_id);
    for (name, value) in rest::headers(model, operation, output) {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    Ok(response)
}

pub(crate) fn json_content_type(version: JsonVersion) -> &'static str {
    match version {
        JsonVersion::V10 => "application/x-amz-json-1.0",
        JsonVersion::V11 => "application/x-amz-json-1.1",
    }
}

fn response(status: StatusCode, content_type: &'static str, body: String, request_id: &str) -> RawAnswer {
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    if let Ok(id) = HeaderValue::try_from(request_id) {
        response.headers_mut().insert("x-amzn-requestid", id);
    }
    response
}
