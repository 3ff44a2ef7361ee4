//! No secret of a run is seen where people look: in a history, a log line, a report.
//!
//! Every value that Secrets Manager ever held is looked for, and the clients' passwords, as they are and as texts carry
//! them: escaped for JSON, in a URL, in base64, in hexadecimal digits. A finding names place and secret, never the value.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde_json::Value;

/// A value that must not be seen.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    /// What it is, for people.
    pub name: String,
    value: String,
}

/// A text that people see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// Where it stands.
    pub place: String,
    /// All of it.
    pub text: String,
}

/// Members of a login that everybody may know.
const PUBLIC: &[&str] = &["username", "host", "port", "engine", "dbname", "dbInstanceIdentifier"];
/// What is kept in Secrets Manager for the place and not for its content: how the record was, which DNS tells everybody,
/// and how far the cutover came.
const NOTES: &[&str] = &["/record", "/cutover-1"];
/// A shorter value is found by chance.
const SHORTEST: usize = 8;
/// Given away without its value: a verifier lets whoever reads it try passwords at leisure.
const MARKS: &[(&str, &str)] = &[("a password's verifier", "SCRAM-SHA-256$"), ("a private key", "PRIVATE KEY-----")];
/// What a URL carries as it is.
const IN_URL: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

impl Secret {
    /// A value with its name.
    pub fn new(name: &str, value: &str) -> Self {
        Self { name: name.to_owned(), value: value.to_owned() }
    }

    /// What is secret of a secret's content: of a login its password, of anything else all of it.
    pub fn of_content(name: &str, content: &str) -> Vec<Self> {
        if NOTES.iter().any(|note| name.ends_with(note)) {
            return Vec::new();
        }
        match serde_json::from_str(content) {
            Ok(Value::Object(members)) => {
                let hidden = members.iter().filter(|(member, _)| !PUBLIC.contains(&member.as_str()));
                let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                hidden.map(|(member, value)| Self::new(&format!("{member} of {name}"), &text(value))).collect()
            }
            _ => vec![Self::new(name, content)],
        }
    }

    /// The texts in which the value may hide.
    fn forms(&self) -> BTreeSet<String> {
        let value = &self.value;
        let escaped = in_json(value);
        let encoded = utf8_percent_encode(value, IN_URL).to_string();
        let hex: String = value.bytes().map(|byte| format!("{byte:02x}")).collect();
        let mut forms: BTreeSet<String> = [value.clone(), in_json(&escaped), escaped, hex.to_uppercase(), hex].into();
        forms.extend([encoded.to_lowercase(), encoded.replace("%20", "+"), encoded]);
        forms.extend((0..3).flat_map(|shift| in_base64(value, shift)));
        forms
    }
}

/// Between the quotes.
fn in_json(value: &str) -> String {
    let quoted = Value::from(value).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// The characters that depend on the value alone, when so many other bytes stand before it.
fn in_base64(value: &str, shift: usize) -> [String; 2] {
    let bytes = [&[0; 3][..shift], value.as_bytes()].concat();
    let (from, to) = ((shift * 8).div_ceil(6), bytes.len() * 8 / 6);
    [STANDARD_NO_PAD.encode(&bytes), URL_SAFE_NO_PAD.encode(&bytes)].map(|text| text[from..to].to_owned())
}

/// How the search went.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Secrecy {
    /// Values that were looked for.
    pub secrets: usize,
    /// Texts that were searched.
    pub texts: usize,
    /// Their length together.
    pub bytes: usize,
    /// What was seen of what must not be: whose, and where.
    pub leaks: Vec<String>,
}

impl Secrecy {
    /// Look for every secret in every text.
    pub fn of(secrets: &[Secret], texts: &[Text]) -> Self {
        let bytes = texts.iter().map(|text| text.text.len()).sum();
        Self { secrets: secrets.len(), texts: texts.len(), bytes, leaks: find(secrets, texts) }
    }

    /// What does not hold, in words: a search for nothing, or in nothing, proves nothing.
    pub fn faults(&self) -> Vec<String> {
        let empty = self.secrets == 0 || self.bytes == 0;
        empty.then(|| "no secret was looked for".to_owned()).into_iter().chain(self.leaks.iter().cloned()).collect()
    }
}

/// What is seen of what must not be; empty if nothing is.
fn find(secrets: &[Secret], texts: &[Text]) -> Vec<String> {
    let short = secrets.iter().filter(|secret| secret.value.len() < SHORTEST);
    let mut found: Vec<String> = short.map(|secret| format!("{} is too short to be looked for", secret.name)).collect();
    for secret in secrets.iter().filter(|secret| secret.value.len() >= SHORTEST) {
        let forms = secret.forms();
        let seen = texts.iter().filter(|text| forms.iter().any(|form| text.text.contains(form.as_str())));
        found.extend(seen.map(|text| format!("{} stands in {}", secret.name, text.place)));
    }
    for (name, mark) in MARKS {
        let seen = texts.iter().filter(|text| text.text.contains(mark));
        found.extend(seen.map(|text| format!("{name} stands in {}", text.place)));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWORD: &str = r#"two "words" & ümläut/+"#;

    fn found_in(text: &str) -> Vec<String> {
        let content = serde_json::json!({ "username": "orders_admin", "password": PASSWORD, "port": 5432 }).to_string();
        let secrets = Secret::of_content("orders/owner", &content);
        find(&secrets, &[Text { place: "a log".to_owned(), text: text.to_owned() }])
    }

    #[test]
    fn a_planted_password_is_found_in_every_form_that_texts_carry() {
        let once = Value::from(format!("login with {PASSWORD}")).to_string();
        let before = |bytes: &str| STANDARD_NO_PAD.encode(format!("{bytes}{PASSWORD}@host"));
        let planted = [
            format!("level=INFO password={PASSWORD}"),
            Value::from(once.clone()).to_string(),
            once,
            "postgres://u:two%20%22words%22%20%26%20%C3%BCml%C3%A4ut%2F%2B@h/d".to_owned(),
            "postgres://u:two%20%22words%22%20%26%20%c3%bcml%c3%a4ut%2f%2b@h/d".to_owned(),
            "password=two+%22words%22+%26+%C3%BCml%C3%A4ut%2F%2B&user=u".to_owned(),
            before(""),
            before("user:"),
            before("users:"),
            URL_SAFE_NO_PAD.encode(PASSWORD),
            PASSWORD.bytes().map(|byte| format!("{byte:02X}")).collect(),
        ];
        for text in planted {
            assert_eq!(found_in(&text), ["password of orders/owner stands in a log"], "{text}");
        }
    }

    #[test]
    fn what_everybody_may_know_is_no_leak() {
        for text in ["", "orders_admin connects to port 5432", "two words", "SCRAM-SHA-256 is asked for"] {
            assert_eq!(found_in(text), Vec::<String>::new(), "{text}");
        }
        assert!(Secret::of_content("pgleap/r1/record", r#"{"record":"orders.example.internal"}"#).is_empty());
    }

    #[test]
    fn verifiers_and_keys_are_leaks_whatever_their_value() {
        assert_eq!(found_in("PASSWORD 'SCRAM-SHA-256$4096:abc'"), ["a password's verifier stands in a log"]);
        assert_eq!(found_in("-----BEGIN RSA PRIVATE KEY-----"), ["a private key stands in a log"]);
    }

    #[test]
    fn a_secret_that_cannot_be_looked_for_is_named() {
        assert_eq!(find(&[Secret::new("a pin", "1234")], &[]), ["a pin is too short to be looked for"]);
    }
}
