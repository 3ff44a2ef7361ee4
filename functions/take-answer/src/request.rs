//! What a browser asks for, as a function URL hands it over (payload format 2.0). Pure.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use pgleap_notify::Sealed;
use serde::Deserialize;

/// The members of the event that matter; the others are AWS's to change.
/// Source: AWS Lambda developer guide, Invoking Lambda function URLs, Request payload format.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PageRequest {
    query_string_parameters: BTreeMap<String, String>,
    request_context: Context,
    body: Option<String>,
    is_base64_encoded: bool,
}

/// Without the address: whoever has it may answer.
impl fmt::Debug for PageRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PageRequest").field("context", &self.request_context).field("body", &self.body).finish()
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Context {
    http: Http,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Http {
    method: String,
    source_ip: String,
}

/// What the browser wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wish {
    /// To see the question.
    Look,
    /// To answer it.
    Answer(Answer),
    /// Something else.
    Unclear,
}

/// A person's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Yes,
    No,
}

impl PageRequest {
    /// The link's own part; none if the address has not both.
    pub(crate) fn sealed(&self) -> Option<Sealed> {
        let part = |name| self.query_string_parameters.get(name).cloned();
        Some(Sealed { question: part("q")?, seal: part("s")? })
    }

    /// Whence the request came.
    pub(crate) fn from(&self) -> &str {
        &self.request_context.http.source_ip
    }

    pub(crate) fn wish(&self) -> Wish {
        match self.request_context.http.method.as_str() {
            "GET" | "HEAD" => Wish::Look,
            "POST" => match self.form().as_deref() {
                Some("answer=yes") => Wish::Answer(Answer::Yes),
                Some("answer=no") => Wish::Answer(Answer::No),
                _ => Wish::Unclear,
            },
            _ => Wish::Unclear,
        }
    }

    /// The body as text; a form comes in base64.
    fn form(&self) -> Option<String> {
        let body = self.body.as_deref()?;
        if !self.is_base64_encoded {
            return Some(body.to_owned());
        }
        String::from_utf8(STANDARD.decode(body).ok()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn request(method: &str, body: Value, base64: bool) -> PageRequest {
        serde_json::from_value(json!({
            "version": "2.0", "rawPath": "/", "rawQueryString": "q=a&s=b", "headers": {"accept": "*/*"},
            "queryStringParameters": {"q": "a", "s": "b"}, "body": body, "isBase64Encoded": base64,
            "requestContext": {"http": {"method": method, "sourceIp": "192.0.2.7", "path": "/"}, "stage": "$default"},
        }))
        .expect("an event")
    }

    #[test]
    fn only_a_button_answers() {
        let cases = [
            (request("GET", Value::Null, false), Wish::Look),
            (request("HEAD", Value::Null, false), Wish::Look),
            (request("GET", json!("answer=yes"), false), Wish::Look),
            (request("POST", json!("answer=yes"), false), Wish::Answer(Answer::Yes)),
            (request("POST", json!("YW5zd2VyPXllcw=="), true), Wish::Answer(Answer::Yes)),
            (request("POST", json!("answer=no"), false), Wish::Answer(Answer::No)),
            (request("POST", json!("answer=no&answer=yes"), false), Wish::Unclear),
            (request("POST", json!("no base64"), true), Wish::Unclear),
            (request("POST", Value::Null, false), Wish::Unclear),
            (request("DELETE", json!("answer=yes"), false), Wish::Unclear),
        ];
        for (request, wish) in cases {
            assert_eq!(request.wish(), wish, "{request:?}");
        }
    }

    #[test]
    fn an_address_without_a_link_has_nothing_sealed() {
        assert!(request("GET", Value::Null, false).sealed().is_some());
        for event in [json!({}), json!({"queryStringParameters": {"q": "a"}})] {
            let request: PageRequest = serde_json::from_value(event).expect("an event");
            assert_eq!(request.sealed(), None);
        }
    }
}
