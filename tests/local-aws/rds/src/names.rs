//! Identifiers, ARNs and host names.

use local_aws_core::{ACCOUNT, ApiError, REGION};

use crate::errors;

/// The part of an endpoint's name that stands for account and Region.
const ENDPOINT_HASH: &str = "cpgleaplocal";
/// Region of the endpoints' zone, as AWS reports it for eu-west-1.
pub(crate) const ENDPOINT_ZONE: &str = "Z29XKXDKYMONMX";

pub(crate) fn instance_arn(identifier: &str) -> String {
    arn("db", identifier)
}

pub(crate) fn snapshot_arn(identifier: &str) -> String {
    arn("snapshot", identifier)
}

pub(crate) fn group_arn(name: &str) -> String {
    arn("pg", name)
}

/// An ARN of a proxy has an id in place of its name.
pub(crate) fn proxy_arn(resource_id: &str) -> String {
    arn("db-proxy", resource_id)
}

fn arn(kind: &str, name: &str) -> String {
    format!("arn:aws:rds:{REGION}:{ACCOUNT}:{kind}:{name}")
}

pub(crate) fn host_name(identifier: &str) -> String {
    format!("{identifier}.{ENDPOINT_HASH}.{REGION}.rds.amazonaws.com")
}

/// The host that clients of a proxy use.
pub(crate) fn proxy_host_name(name: &str) -> String {
    format!("{name}.proxy-{ENDPOINT_HASH}.{REGION}.rds.amazonaws.com")
}

/// `db-` and 26 letters and digits, as AWS makes them.
pub(crate) fn new_resource_id() -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let letter = |_| char::from(ALPHABET[fastrand::usize(..ALPHABET.len())]);
    format!("db-{}", (0..26).map(letter).collect::<String>())
}

/// An identifier as RDS stores it (lower case), or the refusal that it sends.
pub(crate) fn identifier(member: &str, text: &str, longest: usize) -> Result<String, ApiError> {
    let well_formed = text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '-')
        && !text.ends_with('-')
        && !text.contains("--")
        && text.len() <= longest;
    if well_formed {
        return Ok(text.to_ascii_lowercase());
    }
    Err(errors::value(format!(
        "The parameter {member} is not a valid identifier. Identifiers must begin with a letter; must contain only \
         ASCII letters, digits, and hyphens; and must not end with a hyphen or contain two consecutive hyphens."
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_follow_rds_rules() {
        let cases = [
            ("source", Some("source")),
            ("Source-1", Some("source-1")),
            ("1source", None),
            ("source-", None),
            ("sou--rce", None),
            ("default.postgres15", None),
            ("", None),
        ];

        for (text, expected) in cases {
            assert_eq!(identifier("DBInstanceIdentifier", text, 63).ok().as_deref(), expected, "{text}");
        }
    }
}
