//! Names, ARNs and the ids in them. Pure but for chance.

use local_aws_core::{ACCOUNT, ApiError, Call, REGION};

use super::errors::invalid_value;

/// Letters and digits of AWS's random resource ids.
const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// The last segment of a new ARN: `ResourceIdentifier` if it was sent, else 26 characters of chance.
pub(crate) fn resource_id(call: &Call) -> Result<String, ApiError> {
    match call.str("ResourceIdentifier") {
        Some(wanted) => {
            check("ResourceIdentifier", wanted, 31)?;
            Ok(wanted.to_owned())
        }
        None => Ok((0..26).map(|_| char::from(ALPHABET[fastrand::usize(..ALPHABET.len())])).collect()),
    }
}

/// An ARN of a kind: `rep`, `endpoint`, `task`, `subgrp`, `cert`.
pub(crate) fn arn(kind: &str, resource_id: &str) -> String {
    format!("arn:aws:dms:{REGION}:{ACCOUNT}:{kind}:{resource_id}")
}

/// A required name, lower-cased as DMS stores it.
pub(crate) fn identifier(call: &Call, member: &str, longest: usize) -> Result<String, ApiError> {
    let name = call.required(member)?;
    check(member, name, longest)?;
    Ok(name.to_lowercase())
}

fn check(member: &str, name: &str, longest: usize) -> Result<(), ApiError> {
    let starts_well = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic());
    let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if name.len() > longest || !starts_well || !is_plain || name.ends_with('-') || name.contains("--") {
        return Err(invalid_value(format!(
            "The parameter {member} must be 1 to {longest} letters, digits or hyphens, must begin with a letter, and \
             must not end with a hyphen or contain two consecutive hyphens."
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_are_checked_and_lower_cased() {
        let ask = |name: &str| identifier(&Call::new("Create", json!({ "Name": name })), "Name", 8);

        assert_eq!(ask("Ab-1").unwrap(), "ab-1");
        for name in ["", "1a", "a-", "a--b", "a_b", "abcdefghi"] {
            assert_eq!(ask(name).unwrap_err().code, "InvalidParameterValueException", "{name}");
        }
    }

    #[test]
    fn a_resource_identifier_makes_the_arn_predictable() {
        let chosen = resource_id(&Call::new("Create", json!({"ResourceIdentifier": "pgleap-demo"}))).unwrap();
        let random = resource_id(&Call::new("Create", json!({}))).unwrap();

        assert_eq!(arn("task", &chosen), "arn:aws:dms:eu-west-1:111122223333:task:pgleap-demo");
        assert_eq!(random.len(), 26);
        assert!(random.bytes().all(|byte| ALPHABET.contains(&byte)));
    }
}
