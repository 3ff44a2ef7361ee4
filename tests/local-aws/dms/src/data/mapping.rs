//! A task's table mappings: which tables it takes, which columns it leaves out, how large values travel.
//!
//! Pure: a JSON document and names in, decisions out. What DMS would carry out and the stand-in does not (renames,
//! row filters, parallel segments) is refused by name when the task is made, never ignored.

use std::collections::HashSet;

use serde::Deserialize;
use serde_json::Value;

/// A parsed and checked document.
#[derive(Debug, Clone, Default)]
pub(crate) struct TableMapping {
    selections: Vec<Selection>,
    removed_columns: Vec<ColumnLocator>,
    lob_settings: Vec<(TableLocator, LobRule)>,
}

/// What a relation is, as far as a rule's `table-type` tells kinds apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RelationKind {
    /// A table, a partition or a partitioned parent.
    Table,
    /// A view.
    View,
}

/// A table that the document selects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Selected {
    /// Tables with a larger number load first.
    pub(crate) load_order: i64,
}

/// How one table's large values travel, when its own rule says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LobRule {
    /// Cut at so many KB.
    Limited(u64),
    /// Whole, in a second statement.
    Unlimited,
    /// Left out.
    None,
}

/// Why a document is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("read table mappings: {0}")]
pub(crate) struct BadMapping(String);

#[derive(Debug, Clone)]
struct Selection {
    locator: TableLocator,
    action: Action,
    load_order: i64,
    table_type: TableType,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Action {
    Include,
    Exclude,
    Explicit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum TableType {
    #[default]
    Table,
    View,
    All,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct TableLocator {
    schema_name: String,
    table_name: String,
    #[serde(default)]
    table_type: TableType,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct ColumnLocator {
    schema_name: String,
    table_name: String,
    column_name: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct SelectionRule {
    #[serde(rename = "rule-type")]
    _rule_type: String,
    #[serde(rename = "rule-id")]
    _rule_id: String,
    #[serde(rename = "rule-name")]
    _rule_name: String,
    object_locator: TableLocator,
    rule_action: Action,
    #[serde(default)]
    load_order: i64,
    #[serde(default)]
    filters: Vec<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct TransformationRule {
    #[serde(rename = "rule-type")]
    _rule_type: String,
    #[serde(rename = "rule-id")]
    _rule_id: String,
    #[serde(rename = "rule-name")]
    _rule_name: String,
    rule_target: String,
    rule_action: String,
    object_locator: ColumnLocator,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct TableSettingsRule {
    #[serde(rename = "rule-type")]
    _rule_type: String,
    #[serde(rename = "rule-id")]
    _rule_id: String,
    #[serde(rename = "rule-name")]
    _rule_name: String,
    object_locator: TableLocator,
    lob_settings: LobSettings,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct LobSettings {
    mode: String,
    bulk_max_size: Option<NumberOrText>,
}

/// AWS's examples write some numbers as text.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum NumberOrText {
    Number(u64),
    Text(String),
}

impl NumberOrText {
    fn value(&self) -> Option<u64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => text.parse().ok(),
        }
    }
}

impl TableMapping {
    /// Read and check a document.
    pub(crate) fn parse(document: &str) -> Result<Self, BadMapping> {
        let document: Value =
            serde_json::from_str(document).map_err(|error| BadMapping(format!("no JSON document: {error}")))?;
        let object = document.as_object().ok_or_else(|| BadMapping("no JSON object".to_owned()))?;
        if let Some(unknown) = object.keys().find(|key| *key != "rules") {
            return Err(BadMapping(format!("unknown member {unknown}")));
        }
        let rules = object.get("rules").and_then(Value::as_array);
        let rules = rules.ok_or_else(|| BadMapping("member rules is missing".to_owned()))?;
        let mut mapping = Self::default();
        let mut seen = HashSet::new();
        for rule in rules {
            let id = rule_identity(rule)?;
            for name in [format!("rule-id {}", id.0), format!("rule-name {}", id.1)] {
                if !seen.insert(name.clone()) {
                    return Err(BadMapping(format!("{name} stands twice")));
                }
            }
            mapping.add(rule, &id.0)?;
        }
        if !mapping.selections.iter().any(|selection| selection.action != Action::Exclude) {
            return Err(BadMapping("no rule selects a table".to_owned()));
        }
        Ok(mapping)
    }

    fn add(&mut self, rule: &Value, id: &str) -> Result<(), BadMapping> {
        let bad = |error: serde_json::Error| BadMapping(format!("rule {id}: {error}"));
        match rule.get("rule-type").and_then(Value::as_str) {
            Some("selection") => {
                let rule: SelectionRule = serde_json::from_value(rule.clone()).map_err(bad)?;
                if !rule.filters.is_empty() {
                    return Err(BadMapping(format!("rule {id}: the local stand-in does not serve filters")));
                }
                self.selections.push(Selection {
                    table_type: rule.object_locator.table_type,
                    locator: rule.object_locator,
                    action: rule.rule_action,
                    load_order: rule.load_order,
                });
            }
            Some("transformation") => {
                let rule: TransformationRule = serde_json::from_value(rule.clone()).map_err(bad)?;
                if (rule.rule_target.as_str(), rule.rule_action.as_str()) != ("column", "remove-column") {
                    return Err(BadMapping(format!(
                        "rule {id}: the local stand-in does not serve {} of a {}",
                        rule.rule_action, rule.rule_target
                    )));
                }
                self.removed_columns.push(rule.object_locator);
            }
            Some("table-settings") => {
                let rule: TableSettingsRule = serde_json::from_value(rule.clone()).map_err(bad)?;
                let lob_rule = lob_rule(&rule.lob_settings)
                    .ok_or_else(|| BadMapping(format!("rule {id}: lob-settings are not understood")))?;
                let names = [&rule.object_locator.schema_name, &rule.object_locator.table_name];
                if names.iter().any(|name| name.contains('%')) {
                    return Err(BadMapping(
                        "Exact schema and table name required when using table settings rule.".to_owned(),
                    ));
                }
                self.lob_settings.push((rule.object_locator, lob_rule));
            }
            other => {
                let named = other.unwrap_or("(none)");
                return Err(BadMapping(format!("rule {id}: rule-type {named} is not known")));
            }
        }
        Ok(())
    }

    /// Whether a relation is taken. An exclusion wins over every inclusion, whatever their order.
    pub(crate) fn selects(&self, schema: &str, table: &str, kind: RelationKind) -> Option<Selected> {
        let mut selected: Option<Selected> = None;
        for selection in &self.selections {
            if !selection.matches(schema, table, kind) {
                continue;
            }
            if selection.action == Action::Exclude {
                return None;
            }
            let order = selected.map_or(i64::MIN, |earlier| earlier.load_order).max(selection.load_order);
            selected = Some(Selected { load_order: order });
        }
        selected
    }

    /// Whether a column is left out.
    pub(crate) fn removes(&self, schema: &str, table: &str, column: &str) -> bool {
        self.removed_columns.iter().any(|locator| {
            is_like(&locator.schema_name, schema)
                && is_like(&locator.table_name, table)
                && is_like(&locator.column_name, column)
        })
    }

    /// The table's own way with large values, if a rule gives one: by its exact name, for such a rule takes no patterns.
    pub(crate) fn lob_rule(&self, schema: &str, table: &str) -> Option<LobRule> {
        let is_named = |locator: &TableLocator| locator.schema_name == schema && locator.table_name == table;
        self.lob_settings.iter().find(|(locator, _)| is_named(locator)).map(|(_, rule)| *rule)
    }
}

impl Selection {
    fn matches(&self, schema: &str, table: &str, kind: RelationKind) -> bool {
        let kind_fits = match self.table_type {
            TableType::All => true,
            TableType::Table => kind == RelationKind::Table,
            TableType::View => kind == RelationKind::View,
        };
        // An exclusion without a table-type shuts out a view as well: leaving out more is what its author meant.
        if !kind_fits && self.action != Action::Exclude {
            return false;
        }
        if self.action == Action::Explicit {
            return self.locator.schema_name == schema && self.locator.table_name == table;
        }
        self.locator.matches(schema, table)
    }
}

impl TableLocator {
    fn matches(&self, schema: &str, table: &str) -> bool {
        is_like(&self.schema_name, schema) && is_like(&self.table_name, table)
    }
}

fn rule_identity(rule: &Value) -> Result<(String, String), BadMapping> {
    let member = |name: &str| {
        rule.get(name)
            .and_then(Value::as_str)
            .map(str::to_owned)
            .ok_or_else(|| BadMapping(format!("a rule lacks {name} as a text")))
    };
    let id = member("rule-id")?;
    if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(BadMapping(format!("rule-id {id} is no number")));
    }
    Ok((id, member("rule-name")?))
}

fn lob_rule(settings: &LobSettings) -> Option<LobRule> {
    match settings.mode.as_str() {
        "limited" => settings.bulk_max_size.as_ref().and_then(NumberOrText::value).map(LobRule::Limited),
        "unlimited" => Some(LobRule::Unlimited),
        "none" => Some(LobRule::None),
        _ => None,
    }
}

/// DMS's patterns: `%` any run, `_` one character, `[_]` itself, `[ab]` one of them, `[a-d]` one of a range.
pub(crate) fn is_like(pattern: &str, name: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    like(&pattern, &name)
}

fn like(pattern: &[char], name: &[char]) -> bool {
    match pattern.first() {
        None => name.is_empty(),
        Some('%') => (0..=name.len()).any(|skipped| like(&pattern[1..], &name[skipped..])),
        Some('_') => !name.is_empty() && like(&pattern[1..], &name[1..]),
        Some('[') => match (pattern.iter().position(|character| *character == ']'), name.first()) {
            (Some(end), Some(first)) => in_set(&pattern[1..end], *first) && like(&pattern[end + 1..], &name[1..]),
            (None, Some('[')) => like(&pattern[1..], &name[1..]),
            _ => false,
        },
        Some(character) => name.first() == Some(character) && like(&pattern[1..], &name[1..]),
    }
}

fn in_set(set: &[char], character: char) -> bool {
    match set {
        [] => false,
        [from, '-', to, rest @ ..] => (*from..=*to).contains(&character) || in_set(rest, character),
        [first, rest @ ..] => *first == character || in_set(rest, character),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn selection(id: &str, schema: &str, table: &str, action: &str) -> Value {
        json!({"rule-type": "selection", "rule-id": id, "rule-name": id, "rule-action": action,
               "object-locator": {"schema-name": schema, "table-name": table}})
    }

    fn mapping(rules: &[Value]) -> Result<TableMapping, BadMapping> {
        TableMapping::parse(&json!({"rules": rules}).to_string())
    }

    #[test]
    fn a_rule_for_large_values_takes_exact_names() {
        let rule = |table: &str| {
            json!({"rule-type": "table-settings", "rule-id": "3", "rule-name": "3",
                   "object-locator": {"schema-name": "my_app", "table-name": table},
                   "lob-settings": {"mode": "limited", "bulk-max-size": "16"}})
        };
        let mapping = |table: &str| mapping(&[selection("1", "my_app", "%", "include"), rule(table)]);
        let exact = mapping("my_docs").unwrap();

        assert_eq!(exact.lob_rule("my_app", "my_docs"), Some(LobRule::Limited(16)));
        assert_eq!(exact.lob_rule("my_app", "myxdocs"), None);
        assert_eq!(mapping("my[_]docs").unwrap().lob_rule("my_app", "my_docs"), None);
        assert!(mapping("my%").unwrap_err().0.contains("Exact schema and table name required"));
    }

    #[test]
    fn patterns_match_as_documented() {
        let cases = [
            ("%", "", true),
            ("%", "anything", true),
            ("pub%", "public", true),
            ("pub%", "Public", false),
            ("%lic", "public", true),
            ("awsdms[_]%", "awsdms_status", true),
            ("awsdms[_]%", "awsdmsxstatus", false),
            ("awsdms_%", "awsdmsxstatus", true),
            ("t_", "t1", true),
            ("t_", "t", false),
            ("t[ab]", "ta", true),
            ("t[ab]", "tc", false),
            ("t[a-d]x", "tcx", true),
            ("t[a-d]x", "tex", false),
            ("t[", "t[", true),
            ("a.b", "a.b", true),
        ];

        for (pattern, name, expected) in cases {
            assert_eq!(is_like(pattern, name), expected, "{pattern} against {name}");
        }
    }

    #[test]
    fn an_exclusion_wins_over_any_inclusion() {
        let rules = [
            selection("1", "app", "%", "include"),
            selection("2", "app", "secret[_]%", "exclude"),
            selection("3", "app", "secret_one", "explicit"),
            selection("4", "other", "a%", "explicit"),
        ];
        let mapping = mapping(&rules).unwrap();
        let cases = [
            ("app", "orders", true),
            ("app", "secret_one", false),
            ("App", "orders", false),
            ("other", "abc", false),
            ("other", "a%", true),
        ];

        for (schema, table, expected) in cases {
            let selected = mapping.selects(schema, table, RelationKind::Table).is_some();
            assert_eq!(selected, expected, "{schema}.{table}");
        }
    }

    #[test]
    fn views_are_taken_only_when_a_rule_asks_for_them() {
        let mut all = selection("1", "app", "%", "include");
        all["object-locator"]["table-type"] = json!("all");

        let tables_only = mapping(&[selection("1", "app", "%", "include")]).unwrap();
        let everything = mapping(&[all]).unwrap();

        assert!(tables_only.selects("app", "v", RelationKind::View).is_none());
        assert!(everything.selects("app", "v", RelationKind::View).is_some());
    }

    #[test]
    fn the_largest_load_order_of_the_matching_rules_counts() {
        let mut first = selection("1", "app", "%", "include");
        first["load-order"] = json!(2);
        let mut second = selection("2", "app", "big", "include");
        second["load-order"] = json!(9);

        let mapping = mapping(&[first, second]).unwrap();

        assert_eq!(mapping.selects("app", "big", RelationKind::Table), Some(Selected { load_order: 9 }));
        assert_eq!(mapping.selects("app", "small", RelationKind::Table), Some(Selected { load_order: 2 }));
    }

    #[test]
    fn columns_are_removed_and_large_values_ruled_by_table() {
        let removal = json!({"rule-type": "transformation", "rule-id": "2", "rule-name": "2",
            "rule-target": "column", "rule-action": "remove-column",
            "object-locator": {"schema-name": "app", "table-name": "t", "column-name": "total"}});
        let lobs = json!({"rule-type": "table-settings", "rule-id": "3", "rule-name": "3",
            "object-locator": {"schema-name": "app", "table-name": "t"},
            "lob-settings": {"mode": "limited", "bulk-max-size": "16"}});

        let mapping = mapping(&[selection("1", "app", "%", "include"), removal, lobs]).unwrap();

        assert!(mapping.removes("app", "t", "total"));
        assert!(!mapping.removes("app", "t2", "total"));
        assert_eq!(mapping.lob_rule("app", "t"), Some(LobRule::Limited(16)));
        assert_eq!(mapping.lob_rule("app", "t2"), None);
    }

    #[test]
    fn what_is_wrong_or_not_served_is_refused() {
        let mut filtered = selection("1", "app", "%", "include");
        filtered["filters"] = json!([{"filter-type": "source"}]);
        let mut unknown_member = selection("1", "app", "%", "include");
        unknown_member["table-typ"] = json!("all");
        let rename = json!({"rule-type": "transformation", "rule-id": "2", "rule-name": "2",
            "rule-target": "column", "rule-action": "rename",
            "object-locator": {"schema-name": "a", "table-name": "t", "column-name": "c"}});
        let include = || selection("1", "app", "%", "include");
        let cases = [
            (vec![], "no rule selects a table"),
            (vec![selection("1", "app", "%", "exclude")], "no rule selects a table"),
            (vec![include(), include()], "rule-id 1 stands twice"),
            (vec![selection("one", "app", "%", "include")], "rule-id one is no number"),
            (vec![filtered], "does not serve filters"),
            (vec![unknown_member], "unknown field `table-typ`"),
            (vec![include(), rename], "does not serve rename of a column"),
            (vec![json!({"rule-type": "else", "rule-id": "1", "rule-name": "1"})], "rule-type else is not known"),
        ];

        for (rules, expected) in cases {
            let error = mapping(&rules).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        assert!(TableMapping::parse("{").is_err());
        assert!(TableMapping::parse(r#"{"rules": [], "more": 1}"#).is_err());
    }
}
