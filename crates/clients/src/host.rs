//! The member `host` of a secret's JSON: read, and changed without touching any other byte.

use std::ops::Range;

use serde::Deserializer;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

/// Why a text has no host. The reason never quotes the text, because it is a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoHost {
    /// It is not a JSON object.
    #[error("its value is not a JSON object")]
    NotAnObject,
    /// The object has no such member.
    #[error("its value has no member \"host\"")]
    Missing,
    /// Readers differ in which of them they take.
    #[error("its value has the member \"host\" more than once")]
    Twice,
    /// The member is a number, say.
    #[error("the member \"host\" of its value is not a string")]
    NotAString,
}

/// The host in a secret's text.
pub(crate) fn host_of(text: &str) -> Result<String, NoHost> {
    serde_json::from_str(&text[member(text)?]).map_err(|_| NoHost::NotAString)
}

/// The same text with another host: order, white space and all other members stay as they are.
pub(crate) fn with_host(text: &str, host: &str) -> Result<String, NoHost> {
    host_of(text)?;
    let at = member(text)?;
    let host = serde_json::to_string(host).expect("a string is JSON");
    Ok(format!("{}{host}{}", &text[..at.start], &text[at.end..]))
}

/// DNS knows neither case nor the trailing dot.
pub(crate) fn same_host(one: &str, other: &str) -> bool {
    one.trim_end_matches('.').eq_ignore_ascii_case(other.trim_end_matches('.'))
}

/// Whether a host is the endpoint of the RDS instance of this name: `<instance>.<hash>.<region>.rds.amazonaws.com`
/// (Amazon RDS user guide, "Connecting to a DB instance").
pub(crate) fn names_instance(host: &str, instance: &str) -> bool {
    host.split_once('.').is_some_and(|(first, _rest)| first.eq_ignore_ascii_case(instance))
}

/// Where the value of the member `host` is in the text.
fn member(text: &str) -> Result<Range<usize>, NoHost> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let hosts = reader.deserialize_map(Hosts).map_err(|_| NoHost::NotAnObject)?;
    reader.end().map_err(|_| NoHost::NotAnObject)?;
    match hosts[..] {
        [] => Err(NoHost::Missing),
        [raw] => {
            // What serde_json borrowed is a part of the text.
            let start = raw.get().as_ptr() as usize - text.as_ptr() as usize;
            Ok(start..start + raw.get().len())
        }
        _ => Err(NoHost::Twice),
    }
}

/// Collects the values of all members of that name.
struct Hosts;

impl<'de> Visitor<'de> for Hosts {
    type Value = Vec<&'de RawValue>;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut hosts = Vec::new();
        while let Some((name, value)) = map.next_entry::<String, &'de RawValue>()? {
            if name == "host" {
                hosts.push(value);
            }
        }
        Ok(hosts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_host_changes_and_every_other_byte_stays() {
        let cases = [
            (r#"{"host":"a"}"#, r#"{"host":"b"}"#),
            (
                "{ \"username\" : \"app\",\n\t\"host\": \"a\" ,\"port\":5432.0,\"extra\":{\"host\":\"a\"}}\n",
                "{ \"username\" : \"app\",\n\t\"host\": \"b\" ,\"port\":5432.0,\"extra\":{\"host\":\"a\"}}\n",
            ),
            (
                r#"{"password":"\u00e9\"host\":\"a\"","host":"\u0061"}"#,
                r#"{"password":"\u00e9\"host\":\"a\"","host":"b"}"#,
            ),
            (r#"{"ho\u0073t":"a","z":1,"a":2}"#, r#"{"ho\u0073t":"b","z":1,"a":2}"#),
            (r#"{"port":5432,"port":5433,"host":"a"}"#, r#"{"port":5432,"port":5433,"host":"b"}"#),
        ];
        for (text, expected) in cases {
            assert_eq!(host_of(text).as_deref(), Ok("a"), "{text}");
            assert_eq!(with_host(text, "b").as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn a_text_without_one_host_is_refused_and_never_quoted() {
        let cases = [
            ("", NoHost::NotAnObject),
            ("hunter2", NoHost::NotAnObject),
            (r#"["host","a"]"#, NoHost::NotAnObject),
            (r#"{"host":"a"} x"#, NoHost::NotAnObject),
            (r#"{"user":"app"}"#, NoHost::Missing),
            (r#"{"Host":"a"}"#, NoHost::Missing),
            (r#"{"host":"a","host":"b"}"#, NoHost::Twice),
            (r#"{"host":5}"#, NoHost::NotAString),
        ];
        for (text, expected) in cases {
            assert_eq!(with_host(text, "b"), Err(expected), "{text}");
        }
    }
}
