//! Function URLs without a login: what a browser sends becomes an event, what the function answers a page.
//!
//! On AWS the first label of the host is a name that Lambda gives; here it is the function's own.
//! Source: AWS Lambda developer guide, Invoking Lambda function URLs (payload format 2.0).

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use local_aws_core::{ACCOUNT, ApiError, REGION, RawAnswer};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

use crate::answer::Outcome;
use crate::host::LambdaHost;

/// Where a function answers browsers.
pub fn function_url(function: &str) -> String {
    format!("https://{}/", host_of(function))
}

fn host_of(function: &str) -> String {
    format!("{function}.lambda-url.{REGION}.on.aws")
}

impl LambdaHost {
    /// The function whose URL a request is for.
    pub(crate) fn by_url(&self, request: &Parts) -> Option<String> {
        let host = request.headers.get("host")?.to_str().ok()?;
        let function = host.strip_suffix(&format!(".lambda-url.{REGION}.on.aws"))?;
        Some(function.to_owned())
    }

    /// Answer a browser: 403 where there is no URL, 502 where the function fails.
    pub(crate) async fn answer_browser(
        &self,
        function: &str,
        request: &Parts,
        body: &Bytes,
    ) -> Result<RawAnswer, ApiError> {
        if !self.inner().has_url(function) {
            return Ok(plain(403, r#"{"Message":"Forbidden"}"#));
        }
        let (host, event) = (self.inner().clone(), event(function, request, body));
        let function = function.to_owned();
        let invoked = tokio::spawn(async move { host.invoke(&function, None, event.to_string().into()).await });
        match invoked.await.map_err(ApiError::internal)??.outcome {
            Outcome::Answered(answer) => Ok(page(&answer)),
            _ => Ok(plain(502, "Internal Server Error")),
        }
    }
}

fn event(function: &str, request: &Parts, body: &Bytes) -> Value {
    let query = request.uri.query().unwrap_or_default();
    let header = |name: &str| request.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut event = json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": request.uri.path(),
        "rawQueryString": query,
        "headers": request.headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().into())).collect::<Map<_, _>>(),
        "requestContext": {
            "accountId": ACCOUNT, "apiId": function, "domainName": host_of(function), "domainPrefix": function,
            "http": {
                "method": request.method.as_str(), "path": request.uri.path(), "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1", "userAgent": header("user-agent"),
            },
            "requestId": uuid::Uuid::new_v4().to_string(), "routeKey": "$default", "stage": "$default",
            "timeEpoch": u64::try_from(now.as_millis()).unwrap_or_default(),
        },
        "isBase64Encoded": false,
    });
    let parameters = parameters(query);
    if !parameters.is_empty() {
        event["queryStringParameters"] = json!(parameters);
    }
    if !body.is_empty() {
        let text = is_text(header("content-type"));
        event["isBase64Encoded"] = json!(!text);
        event["body"] = if text { String::from_utf8_lossy(body).into() } else { STANDARD.encode(body).into() };
    }
    event
}

/// A parameter that is there twice has both values, with a comma between them.
fn parameters(query: &str) -> BTreeMap<String, String> {
    let decoded = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    let mut found = BTreeMap::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let both: &mut String = found.entry(decoded(name)).or_default();
        if !both.is_empty() {
            both.push(',');
        }
        both.push_str(&decoded(value));
    }
    found
}

/// Everything else travels in base64, forms too.
fn is_text(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    kind.starts_with("text/") || ["application/json", "application/javascript", "application/xml"].contains(&kind)
}

/// An answer without `statusCode` is JSON for the browser.
fn page(answer: &Bytes) -> RawAnswer {
    let answer: Value = serde_json::from_slice(answer).unwrap_or_default();
    let Some(status) = answer["statusCode"].as_u64().and_then(|status| u16::try_from(status).ok()) else {
        return plain(200, &answer.to_string());
    };
    let text = answer["body"].as_str().unwrap_or_default();
    let body = match answer["isBase64Encoded"].as_bool() {
        Some(true) => STANDARD.decode(text).unwrap_or_default(),
        _ => text.as_bytes().to_vec(),
    };
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status.try_into().unwrap_or_default();
    for (name, value) in answer["headers"].as_object().into_iter().flatten() {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name.as_str()), HeaderValue::try_from(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

fn plain(status: u16, body: &str) -> RawAnswer {
    let response = Response::builder().status(status).header("content-type", "application/json");
    response.body(Bytes::from(body.to_owned())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn parts(kind: &str) -> Parts {
        let request = Request::builder().method("POST").uri("/?q=a%20b&s=1&s=2").header("content-type", kind);
        request.body(()).expect("a request").into_parts().0
    }

    #[test]
    fn a_form_comes_in_base64_and_a_text_as_it_is() {
        let form = event("f", &parts("application/x-www-form-urlencoded"), &Bytes::from_static(b"answer=yes"));
        let text = event("f", &parts("text/plain; charset=utf-8"), &Bytes::from_static(b"answer=yes"));

        assert_eq!((&form["body"], &form["isBase64Encoded"]), (&json!("YW5zd2VyPXllcw=="), &json!(true)));
        assert_eq!((&text["body"], &text["isBase64Encoded"]), (&json!("answer=yes"), &json!(false)));
        assert_eq!(text["queryStringParameters"], json!({"q": "a b", "s": "1,2"}));
        assert_eq!(text["requestContext"]["http"]["method"], "POST");
    }

    #[test]
    fn an_answer_becomes_the_page_that_it_describes() {
        let described = json!({"statusCode": 410, "headers": {"cache-control": "no-store"}, "body": "<p>"});
        let page_of = |answer: &Value| page(&Bytes::from(answer.to_string()));

        let shown = page_of(&described);
        assert_eq!((shown.status().as_u16(), &shown.body()[..]), (410, &b"<p>"[..]));
        assert_eq!(shown.headers()["cache-control"], "no-store");
        assert_eq!(page_of(&json!({"a": 1})).status(), 200);
    }
}
