//! Event patterns: what EventBridge's content filtering does, without what nobody here asks for.

use serde_json::Value;

/// Does an event match a pattern that [`check`] let pass?
pub(super) fn matches(pattern: &Value, event: &Value) -> bool {
    field_matches(pattern, Some(event))
}

/// `None` is a field that the event does not have, which is not the same as null.
fn field_matches(pattern: &Value, value: Option<&Value>) -> bool {
    match pattern {
        Value::Object(fields) => fields.iter().all(|(name, wanted)| match (name.as_str(), wanted) {
            ("$or", Value::Array(either)) => either.iter().any(|pattern| field_matches(pattern, value)),
            _ => field_matches(wanted, value.and_then(|value| value.get(name))),
        }),
        Value::Array(wanted) => match value {
            // An array matches if one of its elements does.
            Some(Value::Array(values)) => values.iter().any(|value| wanted.iter().any(|one| one_matches(one, value))),
            Some(value) => wanted.iter().any(|one| one_matches(one, value)),
            None => wanted.iter().any(|one| one.get("exists") == Some(&Value::Bool(false))),
        },
        _ => false,
    }
}

fn one_matches(wanted: &Value, value: &Value) -> bool {
    let Value::Object(filter) = wanted else {
        return equal(wanted, value);
    };
    let Some((operator, argument)) = filter.iter().next() else {
        return false;
    };
    let text = value.as_str();
    match operator.as_str() {
        "exists" => argument.as_bool() == Some(true),
        "prefix" => text.zip(argument.as_str()).is_some_and(|(text, prefix)| text.starts_with(prefix)),
        "suffix" => text.zip(argument.as_str()).is_some_and(|(text, suffix)| text.ends_with(suffix)),
        "equals-ignore-case" => {
            text.zip(argument.as_str()).is_some_and(|(text, other)| text.eq_ignore_ascii_case(other))
        }
        "wildcard" => text.zip(argument.as_str()).is_some_and(|(text, wildcard)| wildcard_matches(wildcard, text)),
        "anything-but" => !excluded(argument, value),
        _ => false,
    }
}

fn excluded(argument: &Value, value: &Value) -> bool {
    match argument {
        Value::Array(values) => values.iter().any(|other| equal(other, value)),
        other => one_matches(other, value),
    }
}

/// Numbers are equal by value: 1 is 1.0.
fn equal(left: &Value, right: &Value) -> bool {
    left == right || left.as_f64().zip(right.as_f64()).is_some_and(|(left, right)| left == right)
}

fn wildcard_matches(wildcard: &str, text: &str) -> bool {
    match wildcard.split_once('*') {
        None => wildcard == text,
        Some((start, rest)) => text.strip_prefix(start).is_some_and(|text| {
            let ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
            rest.is_empty() || ends.into_iter().any(|at| wildcard_matches(rest, &text[at..]))
        }),
    }
}

/// Refuse what EventBridge refuses (a field that is no array) and what the stand-in cannot match, by name.
pub(super) fn check(pattern: &Value) -> Result<(), String> {
    let Value::Object(fields) = pattern else {
        return Err("Filter is not an object".to_owned());
    };
    if fields.is_empty() {
        return Err("Empty event pattern is not allowed".to_owned());
    }
    for (name, wanted) in fields {
        match wanted {
            Value::Object(_) => check(wanted)?,
            Value::Array(either) if name == "$or" => either.iter().try_for_each(check)?,
            Value::Array(values) if !values.is_empty() => values.iter().try_for_each(check_one)?,
            _ => return Err(format!("\"{name}\" must be an object or an array")),
        }
    }
    Ok(())
}

fn check_one(wanted: &Value) -> Result<(), String> {
    const KNOWN: [&str; 6] = ["exists", "prefix", "suffix", "equals-ignore-case", "wildcard", "anything-but"];
    match wanted {
        Value::Object(filter) => match filter.keys().next() {
            Some(operator) if KNOWN.contains(&operator.as_str()) && filter.len() == 1 => Ok(()),
            operator => Err(format!("the local stand-in does not match by {operator:?}")),
        },
        Value::Array(_) => Err("a value must not be an array".to_owned()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn patterns_match_by_content() {
        let event = json!({"source": "aws.states", "detail": {"status": "FAILED", "name": "run-7", "error": null, "n": 1, "tags": ["a", "b"]}});
        let cases = [
            (json!({"source": ["aws.states"]}), true),
            (json!({"source": ["aws.rds", "aws.states"], "detail": {"status": ["FAILED"]}}), true),
            (json!({"source": ["aws.rds"]}), false),
            (json!({"detail": {"status": ["failed"]}}), false),
            (json!({"detail": {"status": [{"equals-ignore-case": "failed"}]}}), true),
            (json!({"detail": {"name": [{"prefix": "run-"}]}}), true),
            (json!({"detail": {"name": [{"suffix": "-8"}]}}), false),
            (json!({"detail": {"name": [{"wildcard": "r*-*7"}]}}), true),
            (json!({"detail": {"name": [{"wildcard": "r*8"}]}}), false),
            (json!({"detail": {"status": [{"anything-but": ["SUCCEEDED", "RUNNING"]}]}}), true),
            (json!({"detail": {"name": [{"anything-but": {"prefix": "run"}}]}}), false),
            (json!({"detail": {"error": [null]}}), true),
            (json!({"detail": {"error": [{"exists": true}]}}), true),
            (json!({"detail": {"cause": [{"exists": false}]}}), true),
            (json!({"detail": {"cause": [{"anything-but": "x"}]}}), false),
            (json!({"detail": {"n": [1.0]}}), true),
            (json!({"detail": {"tags": ["b"]}}), true),
            (json!({"$or": [{"source": ["x"]}, {"detail": {"n": [1]}}]}), true),
        ];

        for (pattern, expected) in cases {
            check(&pattern).unwrap();
            assert_eq!(matches(&pattern, &event), expected, "{pattern}");
        }
    }

    #[test]
    fn a_pattern_that_cannot_be_matched_is_refused() {
        for bad in [
            json!({}),
            json!([]),
            json!({"source": "x"}),
            json!({"source": []}),
            json!({"n": [{"cidr": "10.0.0.0/8"}]}),
        ] {
            assert!(check(&bad).is_err(), "{bad}");
        }
    }
}
