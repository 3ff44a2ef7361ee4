//! The rules of a task's table mapping that say how a table's large values travel. Nothing else of the run makes rules of
//! this kind, so taking them all away puts the mapping back as it was.

use pgleap_contract::steps::LobLimit;
use pgleap_step_kit::prelude::*;
use serde_json::{Value, json};

/// A table mapping.
#[derive(Debug, Clone, PartialEq)]
pub struct Mapping(Value);

impl Mapping {
    /// From DMS's answer.
    pub fn read(text: &str) -> StepResult<Self> {
        let mapping: Value = serde_json::from_str(text)
            .map_err(|error| StepError::bug(format!("read the table mapping of the task: {error}")))?;
        match mapping["rules"].is_array() {
            true => Ok(Self(mapping)),
            false => Err(StepError::bug("read the table mapping of the task: it has no rules")),
        }
    }

    /// As DMS takes it.
    pub fn text(&self) -> String {
        self.0.to_string()
    }

    fn rules(&self) -> impl Iterator<Item = &Value> {
        self.0["rules"].as_array().into_iter().flatten()
    }

    /// Without rules for large values: every table travels as the task's settings say.
    pub fn without_limits(&self) -> Self {
        let rules: Vec<Value> = self.rules().filter(|rule| !is_limit(rule)).cloned().collect();
        Self(json!({ "rules": rules }))
    }

    /// With a rule for each table that has a limit, and no other.
    pub fn with_limits(&self, limits: &[LobLimit]) -> Self {
        let mut mapping = self.without_limits();
        let taken = mapping.rules().filter_map(|rule| rule["rule-id"].as_str()?.parse::<u64>().ok()).max().unwrap_or(0);
        let limited = limits.iter().filter(|limit| limit.kilobytes > 0);
        let rules = limited.zip(taken + 1..).map(|(limit, id)| rule(limit, &id.to_string()));
        if let Some(list) = mapping.0["rules"].as_array_mut() {
            list.extend(rules);
        }
        mapping
    }

    /// Whether it has the same rules for large values as `other`, whatever their form.
    pub fn has_limits_of(&self, other: &Self) -> bool {
        let said = |mapping: &Self| {
            let mut said: Vec<String> =
                mapping.rules().filter(|rule| is_limit(rule)).map(|rule| said_by(rule).to_string()).collect();
            said.sort();
            said
        };
        said(self) == said(other)
    }
}

fn is_limit(rule: &Value) -> bool {
    rule["rule-type"] == "table-settings"
}

fn said_by(rule: &Value) -> Value {
    let at = &rule["object-locator"];
    // DMS may give a number back for a text.
    let size = rule["lob-settings"]["bulk-max-size"].to_string().replace('"', "");
    json!([at["schema-name"], at["table-name"], rule["lob-settings"]["mode"], size])
}

/// Names as they are: a rule of this kind takes no patterns, so a bracketed `_` would name another table.
/// Source: AWS DMS user guide, "Table and collection settings rules and operations": "Exact schema and table name required when
/// using table settings rule."
fn rule(limit: &LobLimit, id: &str) -> Value {
    json!({
        "rule-type": "table-settings",
        "rule-id": id,
        "rule-name": id,
        "object-locator": { "schema-name": limit.schema, "table-name": limit.table },
        "lob-settings": { "mode": "limited", "bulk-max-size": limit.kilobytes.to_string() },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(table: &str, kilobytes: u32) -> LobLimit {
        LobLimit { schema: "shop".to_owned(), table: table.to_owned(), kilobytes }
    }

    #[test]
    fn limits_come_and_go_and_leave_the_rest_alone() {
        let text = r#"{"rules":[{"rule-type":"selection","rule-id":"7","rule-name":"7"}]}"#;
        let usual = Mapping::read(text).expect("a mapping");

        let limited = usual.with_limits(&[limit("my_docs", 300), limit("plain", 0), limit("notes", 8)]);

        let rules: Vec<String> = limited.rules().skip(1).map(Value::to_string).collect();
        assert_eq!(rules.len(), 2);
        assert!(
            rules[0].contains(r#""rule-id":"8""#) && rules[0].contains(r#""table-name":"my_docs""#),
            "{}",
            rules[0]
        );
        assert!(rules[1].contains(r#""rule-id":"9""#) && rules[1].contains(r#""bulk-max-size":"8""#), "{}", rules[1]);
        assert!(limited.has_limits_of(&usual.with_limits(&[limit("notes", 8), limit("my_docs", 300)])));
        assert!(!limited.has_limits_of(&usual.with_limits(&[limit("notes", 9), limit("my_docs", 300)])));
        assert!(!limited.has_limits_of(&usual));
        assert_eq!(limited.without_limits(), usual);
        assert_eq!(limited.with_limits(&[]), usual);
    }

    #[test]
    fn what_is_no_mapping_is_a_defect() {
        assert!(Mapping::read("").is_err() && Mapping::read("{}").is_err());
    }
}
