//! Errors: the words in which each protocol refuses, and the form in which it sends them.

use axum::http::{HeaderValue, StatusCode};

use crate::model::{JsonVersion, Model, Operation, Problem, Protocol};
use crate::wire::{Malformed, json_content_type, response, xml};
use crate::{ApiError, RawAnswer};

/// How an error is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorForm {
    /// `<ErrorResponse><Error>..` in a service's namespace (RDS, Route 53).
    Xml(&'static str),
    /// `<InvalidChangeBatch><Messages><Message>..` in Route 53's namespace, the other form in which this one error
    /// has been seen; it has no code outside the root element's name.
    ChangeBatchMessages(&'static str),
    /// `<Response><Errors><Error>..` (EC2).
    Ec2,
    /// `{"__type": .., "message": ..}`
    Json(JsonVersion),
    /// `{"message": ..}` and the header `x-amzn-errortype` (Scheduler, Lambda).
    RestJson,
}

impl ErrorForm {
    /// The form of a modelled service.
    pub fn of(model: &'static Model) -> Self {
        match model.protocol {
            Protocol::Query | Protocol::RestXml => Self::Xml(model.xml_namespace.as_deref().unwrap_or_default()),
            Protocol::Ec2 => Self::Ec2,
            Protocol::Json(version) => Self::Json(version),
            Protocol::RestJson => Self::RestJson,
        }
    }
}

/// An error as an answer. `message_member` is how the error's shape spells the member with the text.
pub fn error_answer(form: ErrorForm, error: &ApiError, message_member: &str, request_id: &str) -> RawAnswer {
    let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    match form {
        ErrorForm::Xml(namespace) => response(status, "text/xml", xml_body(namespace, error, request_id), request_id),
        ErrorForm::Ec2 => response(status, "text/xml", ec2_body(error, request_id), request_id),
        ErrorForm::ChangeBatchMessages(namespace) => {
            response(status, "text/xml", messages_body(namespace, error, request_id), request_id)
        }
        ErrorForm::Json(version) => {
            let body = serde_json::json!({"__type": error.code, message_member: error.message}).to_string();
            with_error_type(response(status, json_content_type(version), body, request_id), &error.code)
        }
        ErrorForm::RestJson => {
            let body = serde_json::json!({message_member: error.message}).to_string();
            with_error_type(response(status, "application/json", body, request_id), &error.code)
        }
    }
}

fn with_error_type(mut response: RawAnswer, code: &str) -> RawAnswer {
    if let Ok(code) = HeaderValue::try_from(code) {
        response.headers_mut().insert("x-amzn-errortype", code);
    }
    response
}

fn xml_body(namespace: &str, error: &ApiError, request_id: &str) -> String {
    let mut body = format!("<ErrorResponse xmlns=\"{namespace}\">");
    xml::wrap("Error", &mut body, |out| {
        let side = if error.status < 500 { "Sender" } else { "Receiver" };
        xml::wrap("Type", out, |out| out.push_str(side));
        xml::wrap("Code", out, |out| out.push_str(&xml::escape_text(&error.code)));
        xml::wrap("Message", out, |out| out.push_str(&xml::escape_text(&error.message)));
    });
    xml::wrap("RequestId", &mut body, |out| out.push_str(request_id));
    body.push_str("</ErrorResponse>");
    body
}

fn ec2_body(error: &ApiError, request_id: &str) -> String {
    let mut body = String::new();
    xml::wrap("Response", &mut body, |out| {
        xml::wrap("Errors", out, |out| {
            xml::wrap("Error", out, |out| {
                xml::wrap("Code", out, |out| out.push_str(&xml::escape_text(&error.code)));
                xml::wrap("Message", out, |out| out.push_str(&xml::escape_text(&error.message)));
            });
        });
        xml::wrap("RequestID", out, |out| out.push_str(request_id));
    });
    body
}

fn messages_body(namespace: &str, error: &ApiError, request_id: &str) -> String {
    let mut body = format!("<?xml version=\"1.0\"?>\n<{} xmlns=\"{namespace}\">", error.code);
    xml::wrap("Messages", &mut body, |out| {
        let text = error.message.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(&error.message);
        xml::wrap("Message", out, |out| out.push_str(&xml::escape_text(text)));
    });
    xml::wrap("RequestId", &mut body, |out| out.push_str(request_id));
    body.push_str(&format!("</{}>", error.code));
    body
}

/// The code of a throttled call, and its status, by service.
pub fn throttling_code(service: &str) -> (u16, &'static str) {
    match service {
        "rds" | "route53" | "sts" => (400, "Throttling"),
        "ec2" => (503, "RequestLimitExceeded"),
        "sns" => (429, "Throttled"),
        "lambda" => (429, "TooManyRequestsException"),
        "scheduler" => (429, "ThrottlingException"),
        _ => (400, "ThrottlingException"),
    }
}

/// The code of a call that no policy allows, and its status, by service.
pub fn denial_code(service: &str) -> (u16, &'static str) {
    match service {
        "rds" | "route53" | "sts" => (403, "AccessDenied"),
        "ec2" => (403, "UnauthorizedOperation"),
        "lambda" | "scheduler" => (403, "AccessDeniedException"),
        "sns" => (403, "AuthorizationError"),
        _ => (400, "AccessDeniedException"),
    }
}

pub(super) fn unknown_operation(model: &Model, name: &str) -> ApiError {
    match model.protocol {
        Protocol::Query | Protocol::Ec2 => {
            let text = format!("Could not find operation {name} for version {}", model.api_version);
            ApiError::new(400, "InvalidAction", text)
        }
        Protocol::Json(_) => ApiError::new(400, "UnknownOperationException", format!("unknown operation {name}")),
        Protocol::RestJson | Protocol::RestXml => {
            ApiError::new(404, "UnknownOperationException", format!("no operation has the path {name}"))
        }
    }
}

pub(super) fn unknown_version(version: &str) -> ApiError {
    ApiError::new(400, "NoSuchVersion", format!("The requested version ({version}) of the service does not exist."))
}

pub(super) fn malformed(model: &Model, malformed: &Malformed) -> ApiError {
    match (malformed, model.protocol) {
        (Malformed::Input(problem), _) => refused(model, std::slice::from_ref(problem)),
        (Malformed::Body(text), Protocol::RestXml) => {
            ApiError::new(400, "InvalidInput", format!("Invalid XML ; {text}"))
        }
        (Malformed::Body(text), _) => ApiError::new(400, "SerializationException", text.clone()),
    }
}

/// The refusal of an input, in the words of the service's protocol. The query protocol names the first problem only.
pub(super) fn refused(model: &Model, problems: &[Problem]) -> ApiError {
    match model.protocol {
        Protocol::Query | Protocol::Ec2 => {
            problems.first().map_or_else(|| ApiError::internal("no problem"), refused_form)
        }
        Protocol::RestXml => ApiError::new(400, "InvalidInput", all_in_words(problems)),
        Protocol::Json(_) | Protocol::RestJson => refused_json(problems),
    }
}

fn refused_form(problem: &Problem) -> ApiError {
    match problem {
        Problem::Missing { path } => {
            ApiError::new(400, "MissingParameter", format!("The request must contain the parameter {path}."))
        }
        Problem::Unknown { path } => {
            ApiError::new(400, "InvalidParameterValue", format!("The parameter {path} is not recognized."))
        }
        Problem::WrongType { path, expected, found } => {
            let text = format!("Invalid value '{found}' for {path}: it must be of type {expected}.");
            ApiError::new(400, "InvalidParameterValue", text)
        }
        Problem::Constraint { path, found, rule } => {
            ApiError::new(400, "InvalidParameterValue", format!("Invalid value '{found}' for {path}: {rule}."))
        }
    }
}

fn refused_json(problems: &[Problem]) -> ApiError {
    let wrong_type = problems.iter().find_map(|problem| match problem {
        Problem::WrongType { path, expected, found } => {
            Some(format!("{path}: {found} can not be converted to {expected}"))
        }
        _ => None,
    });
    match wrong_type {
        Some(text) => ApiError::new(400, "SerializationException", text),
        None => ApiError::new(400, "ValidationException", all_in_words(problems)),
    }
}

/// `2 validation errors detected: Value null at 'x' failed to satisfy constraint: Member must not be null; ..`
fn all_in_words(problems: &[Problem]) -> String {
    let each: Vec<String> = problems.iter().map(in_words).collect();
    let plural = if each.len() == 1 { "" } else { "s" };
    format!("{} validation error{plural} detected: {}", each.len(), each.join("; "))
}

fn in_words(problem: &Problem) -> String {
    let (found, path, rule) = match problem {
        Problem::Missing { path } => ("null".to_owned(), path, "Member must not be null".to_owned()),
        Problem::Unknown { path } => ("?".to_owned(), path, "Member is not in the model".to_owned()),
        Problem::WrongType { path, expected, found } => {
            (format!("'{found}'"), path, format!("Member must be of type {expected}"))
        }
        Problem::Constraint { path, found, rule } => (format!("'{found}'"), path, rule.clone()),
    };
    format!("Value {found} at '{}' failed to satisfy constraint: {rule}", aws_path(path))
}

/// AWS writes `tags.1.member.key` where the model has `Tags.1.Key`.
fn aws_path(path: &str) -> String {
    let steps = path.split('.').map(|step| match step.chars().next() {
        Some(digit) if digit.is_ascii_digit() => format!("{step}.member"),
        Some(first) => format!("{}{}", first.to_ascii_lowercase(), &step[first.len_utf8()..]),
        None => String::new(),
    });
    steps.collect::<Vec<_>>().join(".")
}

/// A service answered what its model does not allow: a fault of the stand-in, said loudly.
pub(super) fn unfit_answer(operation: &Operation, problems: &[Problem]) -> ApiError {
    let text = format!("the answer to {} does not fit the model: {problems:?}", operation.name);
    tracing::error!("{text}");
    ApiError::internal(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems() -> Vec<Problem> {
        vec![
            Problem::Missing { path: "Tags.1.Key".to_owned() },
            Problem::Constraint {
                path: "Type".to_owned(),
                found: "X".to_owned(),
                rule: "Member must satisfy Y".to_owned(),
            },
        ]
    }

    #[test]
    fn each_protocol_refuses_in_its_own_words() {
        let cases = [
            ("rds", "MissingParameter", "The request must contain the parameter Tags.1.Key."),
            (
                "dms",
                "ValidationException",
                "2 validation errors detected: Value null at 'tags.1.member.key' failed to satisfy constraint: Member \
                 must not be null; Value 'X' at 'type' failed to satisfy constraint: Member must satisfy Y",
            ),
        ];
        for (service, code, message) in cases {
            let error = refused(Model::of(service).unwrap(), &problems());

            assert_eq!((error.status, error.code.as_str(), error.message.as_str()), (400, code, message));
        }
        assert_eq!(refused(Model::of("route53").unwrap(), &problems()).code, "InvalidInput");
    }

    #[test]
    fn each_protocol_sends_errors_in_its_own_form() {
        let error = ApiError::new(404, "DBInstanceNotFound", "DBInstance <x> not found.");
        let text = |service: &str| {
            let answer = error_answer(ErrorForm::of(Model::of(service).unwrap()), &error, "message", "r-1");
            assert_eq!(answer.status(), 404);
            let header = answer.headers().get("x-amzn-errortype").map(|value| value.to_str().unwrap().to_owned());
            (String::from_utf8(answer.body().to_vec()).unwrap(), header)
        };

        let code = Some("DBInstanceNotFound".to_owned());
        assert_eq!(
            text("rds"),
            (
                "<ErrorResponse xmlns=\"http://rds.amazonaws.com/doc/2014-10-31/\"><Error><Type>Sender</Type>\
                 <Code>DBInstanceNotFound</Code><Message>DBInstance &lt;x&gt; not found.</Message></Error>\
                 <RequestId>r-1</RequestId></ErrorResponse>"
                    .to_owned(),
                None
            )
        );
        assert_eq!(
            text("dms"),
            ("{\"__type\":\"DBInstanceNotFound\",\"message\":\"DBInstance <x> not found.\"}".to_owned(), code.clone())
        );
        assert_eq!(text("scheduler"), ("{\"message\":\"DBInstance <x> not found.\"}".to_owned(), code));
    }

    #[test]
    fn a_refused_change_batch_has_a_second_form() {
        let error = ApiError::new(400, "InvalidChangeBatch", "[a, b]");

        let answer = error_answer(ErrorForm::ChangeBatchMessages("n"), &error, "message", "r-1");

        assert_eq!(
            answer.body(),
            "<?xml version=\"1.0\"?>\n<InvalidChangeBatch xmlns=\"n\"><Messages><Message>a, b</Message></Messages>\
             <RequestId>r-1</RequestId></InvalidChangeBatch>"
        );
    }
}
