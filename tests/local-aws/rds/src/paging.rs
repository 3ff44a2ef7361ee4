//! Pages and filters, the same for all lists.

use local_aws_core::{ApiError, Call, Reply};
use serde_json::{Map, Value, json};

use crate::errors;

/// Cut a list by `MaxRecords` and `Marker` and answer it under the operation's member name.
pub(crate) fn answer(call: &Call, member: &str, items: Vec<Value>) -> Reply {
    answer_within(call, member, items, 100)
}

/// The same with another upper bound of `MaxRecords`.
pub(crate) fn answer_within(call: &Call, member: &str, items: Vec<Value>, most: i64) -> Reply {
    let size = call.int("MaxRecords").unwrap_or(100);
    if !(20..=most).contains(&size) {
        return Err(errors::value(format!("Invalid value {size} for MaxRecords. Must be between 20 and {most}")));
    }
    let start = match call.str("Marker") {
        None | Some("") => 0,
        Some(marker) => decode(marker).filter(|start| *start <= items.len()).ok_or_else(invalid_marker)?,
    };
    let end = items.len().min(start + usize::try_from(size).expect("checked to be positive"));
    let mut reply = Map::new();
    if end < items.len() {
        reply.insert("Marker".to_owned(), encode(end).into());
    }
    reply.insert(member.to_owned(), items.into_iter().skip(start).take(end - start).collect());
    Ok(Value::Object(reply))
}

/// Markers are opaque on AWS: nobody shall count on them being numbers.
fn encode(start: usize) -> String {
    format!("page-{start:x}")
}

fn decode(marker: &str) -> Option<usize> {
    usize::from_str_radix(marker.strip_prefix("page-")?, 16).ok()
}

fn invalid_marker() -> ApiError {
    errors::value("Invalid marker.")
}

/// The request's `Filters`, each a name and the values of which one must match.
pub(crate) struct Filters(Vec<(String, Vec<String>)>);

impl Filters {
    /// Read them; a name that the operation does not know is refused.
    pub(crate) fn of(call: &Call, known: &[&str]) -> Result<Self, ApiError> {
        let mut filters = Vec::new();
        for filter in call.input.get("Filters").and_then(Value::as_array).into_iter().flatten() {
            let name = filter["Name"].as_str().unwrap_or_default().to_owned();
            if !known.contains(&name.as_str()) {
                return Err(errors::value(format!("Unrecognized filter name: {name}")));
            }
            let values = filter["Values"].as_array().into_iter().flatten();
            filters.push((name, values.filter_map(Value::as_str).map(str::to_owned).collect()));
        }
        Ok(Self(filters))
    }

    /// Whether something with this property passes the filters of that name.
    pub(crate) fn allow(&self, name: &str, property: &str) -> bool {
        self.0
            .iter()
            .filter(|(filter, _)| filter == name)
            .all(|(_, values)| values.iter().any(|value| value == property))
    }
}

/// An answer with one member.
pub(crate) fn one(member: &str, value: Value) -> Reply {
    Ok(json!({ member: value }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(count: usize) -> Vec<Value> {
        (0..count).map(Value::from).collect()
    }

    #[test]
    fn pages_join_to_the_whole() {
        let mut seen = Vec::new();
        let mut input = json!({ "MaxRecords": 20 });
        loop {
            let page = answer(&Call::new("Describe", input.clone()), "Items", items(50)).unwrap();
            seen.extend(page["Items"].as_array().unwrap().clone());
            match page.get("Marker") {
                Some(marker) => input["Marker"] = marker.clone(),
                None => break,
            }
        }

        assert_eq!(seen, items(50));
    }

    #[test]
    fn a_page_size_outside_the_bounds_and_a_strange_marker_are_refused() {
        for input in [json!({"MaxRecords": 19}), json!({"MaxRecords": 101}), json!({"Marker": "3"})] {
            let error = answer(&Call::new("Describe", input), "Items", items(50)).unwrap_err();
            assert_eq!(error.code, "InvalidParameterValue");
        }
    }

    #[test]
    fn filters_are_joined_by_and_their_values_by_or() {
        let input =
            json!({"Filters": [{"Name": "engine", "Values": ["mysql", "postgres"]}, {"Name": "id", "Values": ["a"]}]});
        let filters = Filters::of(&Call::new("Describe", input.clone()), &["engine", "id"]).unwrap();

        assert!(filters.allow("engine", "postgres") && filters.allow("id", "a"));
        assert!(!filters.allow("engine", "oracle") && !filters.allow("id", "b"));
        assert!(Filters::of(&Call::new("Describe", input), &["engine"]).is_err());
    }
}
