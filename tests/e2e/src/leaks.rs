//! No secret of a run is seen where people look: in a history, a log line, a report.
//!
//! Every value that Secrets Manager ever held is looked for, the clients' passwords, and the password verifiers of every
//! role of both servers, as they are and as texts carry them: escaped for JSON, in a URL, in base64, in hexadecimal
//! digits. A finding names place and secret, never the value.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde_json::Value;
use tokio_postgres::Client;

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
const NOTES: &[&str] = &["/record", "/back-record"];
/// The same, with the number of the cutover behind it.
const MARK: &str = "/cutover-";
/// A shorter value is found by chance.
const SHORTEST: usize = 8;
/// Given away without its value: a verifier lets whoever reads it try passwords at leisure.
const MARKS: &[(&str, &str)] = &[(VERIFIER, SCRAM), ("a private key", "PRIVATE KEY-----")];
const VERIFIER: &str = "a password's verifier";
/// What a verifier of each kind begins with.
const SCRAM: &str = "SCRAM-SHA-256$";
const MD5: &str = "md5";
/// Digits of an md5 verifier.
const MD5_DIGITS: usize = 32;
/// What a URL carries as it is.
const IN_URL: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

impl Secret {
    /// A value with its name.
    pub fn new(name: &str, value: &str) -> Self {
        Self { name: name.to_owned(), value: value.to_owned() }
    }

    /// What is secret of a secret's content: of a login its password, of anything else all of it.
    pub fn of_content(name: &str, content: &str) -> Vec<Self> {
        if NOTES.iter().any(|note| name.ends_with(note)) || name.contains(MARK) {
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

    /// What is secret of a role's password verifier: all of it, and each part of a SCRAM one that is no salt. Whoever
    /// reads one can try passwords at leisure; with an md5 verifier he can log in.
    pub fn of_verifier(name: &str, verifier: &str) -> Vec<Self> {
        let keys = verifier.strip_prefix(SCRAM).and_then(|rest| rest.rsplit_once('$')).map_or("", |(_, keys)| keys);
        let keys = keys.split(':').filter(|key| !key.is_empty());
        let digest = verifier.strip_prefix(MD5).into_iter();
        let parts = keys.chain(digest).map(|part| Self::new(&format!("a part of {name}"), part));
        std::iter::once(Self::new(name, verifier)).chain(parts).collect()
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

/// The verifiers of every role of a server that has a password. `client` is a superuser's.
pub async fn verifiers(client: &Client, server: &str) -> Result<Vec<Secret>> {
    let sql = "SELECT rolname::text, rolpassword FROM pg_authid WHERE rolpassword IS NOT NULL ORDER BY 1";
    let rows = client.query(sql, &[]).await.with_context(|| format!("read the verifiers of {server}"))?;
    let of_row = |row: &tokio_postgres::Row| {
        Secret::of_verifier(&format!("the verifier of {} on {server}", row.get::<_, String>(0)), row.get(1))
    };
    Ok(rows.iter().flat_map(of_row).collect())
}

/// Each value once, under the name that it was first seen with: a copy of a server has the same verifiers.
pub fn distinct(secrets: impl IntoIterator<Item = Secret>) -> Vec<Secret> {
    let mut seen = BTreeSet::new();
    secrets.into_iter().filter(|secret| seen.insert(secret.value.clone())).collect()
}

/// An md5 verifier of whatever role, for example of one that was dropped since.
fn has_md5_verifier(text: &str) -> bool {
    text.match_indices(MD5).any(|(at, _)| {
        let digits = text[at + MD5.len()..].bytes().take_while(u8::is_ascii_hexdigit).count();
        let begins = !text[..at].ends_with(|before: char| before.is_ascii_alphanumeric());
        begins && digits == MD5_DIGITS
    })
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
        empty.then(|| "no secret was searched for".to_owned()).into_iter().chain(self.leaks.iter().cloned()).collect()
    }
}

/// What is seen of what must not be; empty if nothing is.
fn find(secrets: &[Secret], texts: &[Text]) -> Vec<String> {
    let short = secrets.iter().filter(|secret| secret.value.len() < SHORTEST);
    let mut found: Vec<String> = short.map(|secret| format!("{} is too short to search for", secret.name)).collect();
    for secret in secrets.iter().filter(|secret| secret.value.len() >= SHORTEST) {
        let forms = secret.forms();
        let seen = texts.iter().filter(|text| forms.iter().any(|form| text.text.contains(form.as_str())));
        found.extend(seen.map(|text| format!("{} is in {}", secret.name, text.place)));
    }
    for (name, mark) in MARKS {
        let seen = texts.iter().filter(|text| text.text.contains(mark));
        found.extend(seen.map(|text| format!("{name} is in {}", text.place)));
    }
    let seen = texts.iter().filter(|text| has_md5_verifier(&text.text));
    found.extend(seen.map(|text| format!("{VERIFIER} is in {}", text.place)));
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
            assert_eq!(found_in(&text), ["password of orders/owner is in a log"], "{text}");
        }
    }

    #[test]
    fn what_everybody_may_know_is_no_leak() {
        for text in ["", "orders_admin connects to port 5432", "two words", "SCRAM-SHA-256 is asked for"] {
            assert_eq!(found_in(text), Vec::<String>::new(), "{text}");
        }
        for note in ["record", "back-record", "cutover-1", "cutover-3"] {
            let content = r#"{"record":"orders.example.internal"}"#;
            assert!(Secret::of_content(&format!("pgleap/r1/{note}"), content).is_empty(), "{note}");
        }
    }

    #[test]
    fn verifiers_and_keys_are_leaks_whatever_their_value() {
        assert_eq!(found_in("PASSWORD 'SCRAM-SHA-256$4096:abc'"), ["a password's verifier is in a log"]);
        assert_eq!(found_in("-----BEGIN RSA PRIVATE KEY-----"), ["a private key is in a log"]);
    }

    #[test]
    fn a_known_verifier_is_found_whole_and_in_parts_and_an_unknown_one_by_its_form() {
        let scram = "SCRAM-SHA-256$4096:c2FsdHNhbHQ=$c3RvcmVkLWtleS1vZi1hLXJvbGU=:c2VydmVyLWtleS1vZi1hLXJvbGU=";
        let md5 = "md5a9993e364706816aba3e25717850c26c";
        let known: Vec<_> = ["SCRAM", "md5"].iter().zip([scram, md5]).collect();
        let secrets: Vec<_> = known.iter().flat_map(|(name, verifier)| Secret::of_verifier(name, verifier)).collect();
        let found = |text: &str| {
            let found = find(&secrets, &[Text { place: "a log".to_owned(), text: text.to_owned() }]);
            found.into_iter().map(|words| words.replace(" is in a log", "")).collect::<Vec<_>>()
        };

        assert_eq!(found(&format!("x {scram} y")), ["SCRAM", "a part of SCRAM", "a part of SCRAM", VERIFIER]);
        assert_eq!(found("key c3RvcmVkLWtleS1vZi1hLXJvbGU= seen"), ["a part of SCRAM"]);
        assert_eq!(found(&format!("'{md5}'")), ["md5", "a part of md5", VERIFIER]);
        assert_eq!(found("a9993e364706816aba3e25717850c26c"), ["a part of md5"]);
        assert_eq!(found("PASSWORD 'md5d41d8cd98f00b204e9800998ecf8427e'"), [VERIFIER]);
        assert_eq!(found("salt c2FsdHNhbHQ=, md5sum, md5d41d8cd98f00b204e98009, md5(body)"), Vec::<String>::new());
        assert_eq!(distinct(secrets.iter().chain(&secrets).cloned()).len(), 5);
    }

    #[test]
    fn a_secret_that_cannot_be_looked_for_is_named() {
        assert_eq!(find(&[Secret::new("a pin", "1234")], &[]), ["a pin is too short to search for"]);
    }
}
