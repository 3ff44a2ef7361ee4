//! The task's table mapping: what is carried, by name.

use pgleap_contract::Names;
use pgleap_contract::steps::Selection;
use serde_json::{Value, json};

/// A selection rule a schema and one for the marker table, then what is left out, then the generated columns.
pub(crate) fn table_mappings(selection: &Selection) -> Value {
    let mut rules = Rules::default();
    for schema in &selection.schemas {
        rules.select("include", &escape(schema), "%");
    }
    // Nothing else of the run's own schema is carried: what it remembers differs from side to side.
    rules.select("include", &escape(Names::SCHEMA), &escape(Names::MARKER_TABLE));
    // DMS's own tables, which another task may have left behind.
    rules.select("exclude", "%", "awsdms[_]%");
    for left_out in &selection.excluded_tables {
        rules.select("exclude", &escape(&left_out.schema), &escape(&left_out.table));
    }
    for column in &selection.removed_columns {
        rules.remove_column(&escape(&column.schema), &escape(&column.table), &escape(&column.column));
    }
    json!({ "rules": rules.0 })
}

/// `%`, `_` and `[` are wildcards in every name of a mapping; a bracketed one stands for itself
/// (AWS documentation, wildcards in table mapping).
fn escape(name: &str) -> String {
    let mut escaped = String::with_capacity(name.len());
    for character in name.chars() {
        match character {
            '%' | '_' | '[' => escaped.extend(['[', character, ']']),
            _ => escaped.push(character),
        }
    }
    escaped
}

#[derive(Default)]
struct Rules(Vec<Value>);

impl Rules {
    fn select(&mut self, action: &str, schema: &str, table: &str) {
        let id = self.next_id();
        self.0.push(json!({
            "rule-type": "selection",
            "rule-id": id,
            "rule-name": id,
            "object-locator": { "schema-name": schema, "table-name": table },
            "rule-action": action,
        }));
    }

    fn remove_column(&mut self, schema: &str, table: &str, column: &str) {
        let id = self.next_id();
        self.0.push(json!({
            "rule-type": "transformation",
            "rule-id": id,
            "rule-name": id,
            "rule-target": "column",
            "object-locator": { "schema-name": schema, "table-name": table, "column-name": column },
            "rule-action": "remove-column",
        }));
    }

    fn next_id(&self) -> String {
        (self.0.len() + 1).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pgleap_contract::steps::{ColumnName, TableName};

    #[test]
    fn wildcards_in_names_stand_for_themselves() {
        let cases = [
            ("orders", "orders"),
            ("order_items", "order[_]items"),
            ("100%", "100[%]"),
            ("a[b]", "a[[]b]"),
            ("Ünïcode", "Ünïcode"),
        ];
        for (name, escaped) in cases {
            assert_eq!(escape(name), escaped);
        }
    }

    #[test]
    fn a_mapping_names_schemas_the_marker_and_what_is_left_out() {
        let selection = Selection {
            schemas: vec!["public".to_owned(), "My_Schema".to_owned()],
            excluded_tables: vec![TableName { schema: "public".to_owned(), table: "events".to_owned() }],
            removed_columns: vec![ColumnName {
                schema: "public".to_owned(),
                table: "t".to_owned(),
                column: "full_name".to_owned(),
            }],
            replica_role: true,
        };

        let mappings = table_mappings(&selection);

        let rules = mappings["rules"].as_array().expect("rules");
        let said: Vec<String> = rules
            .iter()
            .map(|rule| {
                let at = &rule["object-locator"];
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                format!(
                    "{} {} {}.{} {}",
                    text(&rule["rule-id"]),
                    text(&rule["rule-action"]),
                    text(&at["schema-name"]),
                    text(&at["table-name"]),
                    text(&at["column-name"])
                )
            })
            .collect();
        assert_eq!(
            said,
            [
                "1 include public.% ",
                "2 include My[_]Schema.% ",
                "3 include pgleap.marker ",
                "4 exclude %.awsdms[_]% ",
                "5 exclude public.events ",
                "6 remove-column public.t full[_]name",
            ]
        );
    }
}
