//! Which rows of an unequal table differ, and in what: the first few, for people.

use std::collections::{BTreeMap, HashSet};

use anyhow::{Context, Result};
use serde_json::{Map, Value};
use tokio_postgres::Client;

use super::rows::quote;

/// Rows shown of a table.
const SHOWN: usize = 5;
/// Characters shown of a value.
const LONGEST: usize = 60;

/// Say what differs. Both clients are in their snapshots; a table without a key is compared as whole rows.
pub(super) async fn describe(source: &Client, target: &Client, schema: &str, table: &str) -> Result<Vec<String>> {
    let from = format!("ONLY {}.{} AS row_of_the_table", quote(schema), quote(table));
    let key = key_columns(source, schema, table).await?;
    let (ours, theirs) = tokio::try_join!(hashes(source, &from), hashes(target, &from))?;
    let (only_ours, only_theirs) =
        tokio::try_join!(rows(source, &from, &ours, &theirs, &key), rows(target, &from, &theirs, &ours, &key))?;
    Ok(lines(&only_ours, &only_theirs))
}

type Row = Map<String, Value>;

async fn key_columns(client: &Client, schema: &str, table: &str) -> Result<Vec<String>> {
    let sql = "SELECT a.attname::text FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
               WHERE i.indisprimary AND i.indrelid = to_regclass($1) ORDER BY 1";
    let name = format!("{}.{}", quote(schema), quote(table));
    let rows = client.query(sql, &[&name]).await.context("look for the key")?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

async fn hashes(client: &Client, from: &str) -> Result<HashSet<i64>> {
    let sql = format!("SELECT hashtextextended(row_of_the_table::text, 0) FROM {from}");
    let rows = client.query(sql.as_str(), &[]).await.context("hash rows")?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// The first rows by key that only one side has.
async fn rows(
    client: &Client,
    from: &str,
    own: &HashSet<i64>,
    other: &HashSet<i64>,
    key: &[String],
) -> Result<BTreeMap<String, Row>> {
    let only: Vec<i64> = own.difference(other).copied().collect();
    let order = if key.is_empty() {
        "row_of_the_table::text".to_owned()
    } else {
        key.iter().map(|column| quote(column)).collect::<Vec<_>>().join(", ")
    };
    let sql = format!(
        "SELECT to_jsonb(row_of_the_table) FROM {from} WHERE hashtextextended(row_of_the_table::text, 0) = ANY ($1) ORDER BY {order} LIMIT {SHOWN}"
    );
    let rows = client.query(sql.as_str(), &[&only]).await.context("read differing rows")?;
    let keyed = rows.iter().filter_map(|row| match row.get(0) {
        Value::Object(row) => Some((name_of(&row, key), row)),
        _ => None,
    });
    Ok(keyed.collect())
}

fn name_of(row: &Row, key: &[String]) -> String {
    if key.is_empty() {
        return shorten(&Value::Object(row.clone()).to_string());
    }
    key.iter().map(|column| format!("{column}={}", shorten(&row[column].to_string()))).collect::<Vec<_>>().join(", ")
}

fn lines(ours: &BTreeMap<String, Row>, theirs: &BTreeMap<String, Row>) -> Vec<String> {
    let mut lines = Vec::new();
    for (name, row) in ours {
        match theirs.get(name) {
            Some(other) => {
                let differing = row.iter().filter(|(column, value)| other.get(*column) != Some(value));
                let columns = differing.map(|(column, value)| {
                    let other = other.get(column).map_or_else(|| "absent".to_owned(), Value::to_string);
                    format!("{column}: {} → {}", shorten(&value.to_string()), shorten(&other))
                });
                lines.push(format!("{name}: {}", columns.collect::<Vec<_>>().join("; ")));
            }
            None => lines.push(format!("only on the source: {name}")),
        }
    }
    lines.extend(
        theirs.keys().filter(|name| !ours.contains_key(*name)).map(|name| format!("only on the target: {name}")),
    );
    lines
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}… ({} characters)", &text[..end], text.chars().count()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn side(rows: &[Value]) -> BTreeMap<String, Row> {
        let rows = rows.iter().filter_map(|row| row.as_object().cloned());
        rows.map(|row| (name_of(&row, &["id".to_owned()]), row)).collect()
    }

    #[test]
    fn a_row_on_both_sides_is_shown_by_what_differs_in_it() {
        let ours = side(&[json!({"id": 1, "a": "x", "b": null}), json!({"id": 2, "a": "y", "b": 1})]);
        let theirs = side(&[json!({"id": 1, "a": "x", "b": ""}), json!({"id": 3, "a": "z", "b": 1})]);

        assert_eq!(
            lines(&ours, &theirs),
            ["id=1: b: null → \"\"", "only on the source: id=2", "only on the target: id=3"]
        );
    }

    #[test]
    fn long_values_are_cut_at_a_character() {
        assert_eq!(shorten(&"ß".repeat(100)), format!("{}… (100 characters)", "ß".repeat(60)));
    }
}
