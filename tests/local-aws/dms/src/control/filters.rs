//! Filters and pages of the describe calls. Pure.

use local_aws_core::{ApiError, Call};
use serde_json::Value;

use super::errors::{invalid_value, not_found};

/// One item of a list and the values that filters can ask for.
pub(crate) struct Item {
    pub(crate) value: Value,
    /// By filter name.
    pub(crate) names: Vec<(&'static str, String)>,
}

/// What a describe call answers: the page and the marker of the next.
pub(crate) struct Page {
    pub(crate) items: Vec<Value>,
    pub(crate) marker: Option<String>,
}

/// A list's rules.
pub(crate) struct Rules {
    /// In error texts, e.g. `Endpoint`.
    pub(crate) kind: &'static str,
    pub(crate) filters: &'static [&'static str],
    pub(crate) largest_page: usize,
    /// Whether a filter without a match is an error. It is wherever DMS's delete waiters rest on it.
    pub(crate) misses_are_errors: bool,
}

/// Names join by AND, the values of one name by OR.
pub(crate) fn select(call: &Call, items: Vec<Item>, rules: &Rules) -> Result<Page, ApiError> {
    let filters = read_filters(call, rules)?;
    let matches = |item: &Item| {
        filters.iter().all(|(name, values)| item.names.iter().any(|(of, value)| of == name && values.contains(value)))
    };
    let found: Vec<Value> = items.into_iter().filter(matches).map(|item| item.value).collect();
    if found.is_empty() && !filters.is_empty() && rules.misses_are_errors {
        return Err(not_found(format!("No {} found matching provided filters.", rules.kind)));
    }
    page(call, found, rules.largest_page)
}

/// One page of a list.
pub(crate) fn page(call: &Call, items: Vec<Value>, largest: usize) -> Result<Page, ApiError> {
    let size = call.int("MaxRecords").map_or(100, |size| usize::try_from(size).unwrap_or(0));
    if !(20..=largest).contains(&size) {
        return Err(invalid_value(format!("Invalid value {size} for MaxRecords. Must be between 20 and {largest}.")));
    }
    let start = match call.str("Marker") {
        None => 0,
        Some(marker) => marker.parse::<usize>().map_err(|_| invalid_value(format!("Invalid marker {marker}.")))?,
    };
    let end = items.len().min(start.saturating_add(size));
    let marker = (end < items.len()).then(|| end.to_string());
    Ok(Page { items: items.into_iter().skip(start).take(size).collect(), marker })
}

fn read_filters<'a>(call: &'a Call, rules: &Rules) -> Result<Vec<(&'a str, Vec<String>)>, ApiError> {
    let mut filters = Vec::new();
    for filter in call.input.get("Filters").and_then(Value::as_array).into_iter().flatten() {
        let name = filter.get("Name").and_then(Value::as_str).unwrap_or_default();
        if !rules.filters.contains(&name) {
            return Err(invalid_value(format!("The filter {name} is not supported.")));
        }
        let values: Vec<String> = filter
            .get("Values")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(|value| value.as_str().map(str::to_owned))
            .collect();
        filters.push((name, values));
    }
    Ok(filters)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const RULES: Rules = Rules { kind: "Thing", filters: &["id", "color"], largest_page: 100, misses_are_errors: true };

    fn items() -> Vec<Item> {
        (0..45)
            .map(|number| Item {
                value: json!(number),
                names: vec![
                    ("id", number.to_string()),
                    ("color", if number % 2 == 0 { "even".to_owned() } else { "odd".to_owned() }),
                ],
            })
            .collect()
    }

    fn ask(input: Value) -> Result<Page, ApiError> {
        select(&Call::new("DescribeThings", input), items(), &RULES)
    }

    #[test]
    fn values_join_by_or_and_names_by_and() {
        let both = json!({"Filters": [{"Name": "id", "Values": ["3", "4"]}, {"Name": "color", "Values": ["even"]}]});

        assert_eq!(ask(both).unwrap().items, [json!(4)]);
    }

    #[test]
    fn a_filter_without_a_match_is_not_found() {
        let error = ask(json!({"Filters": [{"Name": "id", "Values": ["77"]}]})).err().unwrap();

        assert_eq!(error.code, "ResourceNotFoundFault");
        assert_eq!(error.message, "No Thing found matching provided filters.");
        assert!(select(&Call::new("DescribeThings", json!({})), Vec::new(), &RULES).unwrap().items.is_empty());
    }

    #[test]
    fn pages_follow_their_markers_to_the_end() {
        let mut input = json!({"MaxRecords": 20});
        let mut seen = Vec::new();
        loop {
            let page = ask(input.clone()).unwrap();
            seen.extend(page.items);
            let Some(marker) = page.marker else { break };
            input["Marker"] = json!(marker);
        }

        assert_eq!(seen, (0..45).map(|number| json!(number)).collect::<Vec<_>>());
        for size in [19, 101] {
            assert_eq!(ask(json!({"MaxRecords": size})).err().unwrap().code, "InvalidParameterValueException");
        }
    }
}
