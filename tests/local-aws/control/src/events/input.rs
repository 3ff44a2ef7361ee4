//! What a target is given: the event, a part of it, a constant, or a text made of its parts.

use serde_json::Value;

/// The input of a rule's target for an event.
pub(super) fn of(target: &Value, event: &Value) -> Result<Value, String> {
    if let Some(constant) = target["Input"].as_str() {
        return serde_json::from_str(constant).map_err(|error| format!("read Input: {error}"));
    }
    if let Some(path) = target["InputPath"].as_str() {
        return Ok(at(path, event).cloned().unwrap_or(Value::Null));
    }
    match target.get("InputTransformer") {
        Some(transformer) => transformed(transformer, event),
        None => Ok(event.clone()),
    }
}

/// Placeholders become JSON, or the bare text inside a string of the template.
fn transformed(transformer: &Value, event: &Value) -> Result<Value, String> {
    let mut result = String::new();
    let mut in_string = false;
    let mut rest = transformer["InputTemplate"].as_str().ok_or("InputTransformer lacks an InputTemplate")?;
    while let Some(letter) = rest.chars().next() {
        let placeholder = rest.strip_prefix('<').and_then(|tail| tail.split_once('>'));
        if let Some((name, after)) = placeholder.filter(|(name, _)| is_name(name)) {
            let value = placeholder_value(name, transformer, event);
            match value {
                Value::String(text) if in_string => {
                    let quoted = Value::String(text).to_string();
                    result.push_str(quoted.trim_start_matches('"').strip_suffix('"').unwrap_or_default());
                }
                value if in_string => result.push_str(&value.to_string().replace('"', "\\\"")),
                value => result.push_str(&value.to_string()),
            }
            rest = after;
            continue;
        }
        in_string ^= letter == '"' && !result.ends_with('\\');
        result.push(letter);
        rest = &rest[letter.len_utf8()..];
    }
    serde_json::from_str(&result).map_err(|error| format!("read the transformed input: {error}"))
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|letter| letter.is_ascii_alphanumeric() || "._-".contains(letter))
}

fn placeholder_value(name: &str, transformer: &Value, event: &Value) -> Value {
    if name == "aws.events.event.json" {
        return event.clone();
    }
    let path = transformer["InputPathsMap"][name].as_str();
    path.and_then(|path| at(path, event)).cloned().unwrap_or(Value::Null)
}

/// `$.detail.items[0].name`.
fn at<'a>(path: &str, event: &'a Value) -> Option<&'a Value> {
    let path = path.strip_prefix('$')?.replace('[', ".[");
    let mut steps = path.split('.').filter(|step| !step.is_empty());
    steps.try_fold(event, |value, step| match step.strip_prefix('[').and_then(|index| index.strip_suffix(']')) {
        Some(index) => value.get(index.parse::<usize>().ok()?),
        None => value.get(step),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_target_is_given_what_it_asks_for() {
        let event = json!({"source": "aws.states", "detail": {"input": "{\"runId\":\"r\"}", "items": [1, 2]}});
        let template = |template: &str| json!({"InputTransformer": {"InputPathsMap": {"run": "$.detail.input", "n": "$.detail.items[1]"}, "InputTemplate": template}});
        let cases = [
            (json!({}), event.clone()),
            (json!({"Input": "{\"a\":1}"}), json!({"a": 1})),
            (json!({"InputPath": "$.detail.items"}), json!([1, 2])),
            (json!({"InputPath": "$.none"}), Value::Null),
            (template("{\"n\": <n>, \"text\": \"n is <n>\"}"), json!({"n": 2, "text": "n is 2"})),
            (template("{\"input\": <run>}"), json!({"input": "{\"runId\":\"r\"}"})),
            (template("{\"e\": <aws.events.event.json>}"), json!({"e": event})),
        ];

        for (target, expected) in cases {
            assert_eq!(of(&target, &event), Ok(expected), "{target}");
        }
    }
}
