//! The source's catalogs, read at the start of a task: the selected tables, their columns and keys.

use std::collections::HashMap;

use tokio_postgres::Client;

use super::columns::{Column, Identity, LobMode, Table, TypeFacts, TypeMappings, carriage, lob_mode};
use super::failure::Failure;
use super::mapping::{RelationKind, TableMapping};
use super::settings::TaskSettings;

const TABLES: &str = include_str!("sql/tables.sql");
const COLUMNS: &str = include_str!("sql/columns.sql");
const KEYS: &str = include_str!("sql/keys.sql");

/// The selected tables, those with a larger load order first, then by name.
pub(crate) async fn selected_tables(
    source: &Client,
    mapping: &TableMapping,
    settings: &TaskSettings,
    mappings: &TypeMappings,
    views_allowed: bool,
) -> Result<Vec<Table>, Failure> {
    source.batch_execute("SET search_path = ''").await?;
    let mut tables = Vec::new();
    for row in source.query(TABLES, &[]).await? {
        let (schema, name): (String, String) = (row.get("schema"), row.get("name"));
        let kind = if row.get::<_, String>("kind") == "v" { RelationKind::View } else { RelationKind::Table };
        if kind == RelationKind::View && !views_allowed {
            continue;
        }
        if let Some(selected) = mapping.selects(&schema, &name, kind) {
            let estimated_rows = row.get::<_, i64>("estimated_rows");
            tables.push(Found {
                oid: row.get("oid"),
                schema,
                name,
                replica_identity: row.get("replica_identity"),
                estimated_rows: u64::try_from(estimated_rows).unwrap_or(0),
                load_order: selected.load_order,
            });
        }
    }
    let oids: Vec<i64> = tables.iter().map(|table| table.oid).collect();
    let mut columns = columns(source, &oids).await?;
    let keys = keys(source, &oids).await?;
    let mut described: Vec<Table> = tables
        .into_iter()
        .map(|found| {
            let columns = columns.remove(&found.oid).unwrap_or_default();
            let keys = keys.get(&found.oid).map_or(&[][..], Vec::as_slice);
            describe(found, columns, keys, mapping, settings, mappings)
        })
        .collect();
    described.sort_by(|left, right| {
        (right.load_order, &left.schema, &left.name).cmp(&(left.load_order, &right.schema, &right.name))
    });
    Ok(described)
}

struct Found {
    oid: i64,
    schema: String,
    name: String,
    replica_identity: String,
    estimated_rows: u64,
    load_order: i64,
}

struct FoundColumn {
    name: String,
    type_name: String,
    facts: TypeFacts,
    not_null: bool,
}

struct FoundKey {
    is_primary: bool,
    is_replica_identity: bool,
    columns: Vec<String>,
}

async fn columns(source: &Client, oids: &[i64]) -> Result<HashMap<i64, Vec<FoundColumn>>, Failure> {
    let mut columns: HashMap<i64, Vec<FoundColumn>> = HashMap::new();
    for row in source.query(COLUMNS, &[&oids]).await? {
        let facts = TypeFacts {
            name: row.get("base_name"),
            schema: row.get("base_schema"),
            kind: row.get::<_, String>("base_kind").chars().next().unwrap_or('b'),
            is_array: row.get("is_array"),
            modifier: row.get("modifier"),
        };
        columns.entry(row.get("table_oid")).or_default().push(FoundColumn {
            name: row.get("name"),
            type_name: row.get("type_name"),
            facts,
            not_null: row.get("not_null"),
        });
    }
    Ok(columns)
}

async fn keys(source: &Client, oids: &[i64]) -> Result<HashMap<i64, Vec<FoundKey>>, Failure> {
    let mut keys: HashMap<i64, Vec<FoundKey>> = HashMap::new();
    for row in source.query(KEYS, &[&oids]).await? {
        keys.entry(row.get("table_oid")).or_default().push(FoundKey {
            is_primary: row.get("is_primary"),
            is_replica_identity: row.get("is_replica_identity"),
            columns: row.get("columns"),
        });
    }
    Ok(keys)
}

fn describe(
    found: Found,
    columns: Vec<FoundColumn>,
    keys: &[FoundKey],
    mapping: &TableMapping,
    settings: &TaskSettings,
    mappings: &TypeMappings,
) -> Table {
    let columns: Vec<Column> = columns
        .into_iter()
        .filter(|column| !mapping.removes(&found.schema, &found.name, &column.name))
        .map(|column| Column {
            carriage: carriage(&column.facts, mappings),
            is_array: column.facts.is_array,
            name: column.name,
            type_name: column.type_name,
            not_null: column.not_null,
        })
        .collect();
    let positions = |key: &FoundKey| -> Option<Vec<usize>> {
        key.columns.iter().map(|name| columns.iter().position(|column| column.name == *name)).collect()
    };
    let primary_key = keys.iter().find(|key| key.is_primary).and_then(positions);
    let identity_index = keys.iter().find(|key| key.is_replica_identity).and_then(positions);
    let unique_key = keys.iter().find_map(positions);
    let lob_key = primary_key.clone().or_else(|| unique_key.clone());
    let is_full = found.replica_identity == "f";
    let identity = match (&primary_key, &identity_index) {
        (Some(key), _) => Identity::Key(key.clone()),
        (None, Some(index)) if found.replica_identity == "i" => Identity::Key(index.clone()),
        (None, _) if is_full => unique_key.map_or(Identity::FullRow, Identity::Key),
        (None, _) => Identity::None,
    };
    let refusal = (lob_key.is_none() && columns.iter().any(|column| column.is_array))
        .then(|| format!("Table '{}'.'{}' has an array column and no primary key", found.schema, found.name));
    let rule = mapping.lob_rule(&found.schema, &found.name);
    let lob_mode = if columns.iter().any(Column::is_lob) {
        lob_mode(rule, &settings.target_metadata, lob_key.is_some())
    } else {
        LobMode::NotCarried
    };
    Table {
        schema: found.schema,
        name: found.name,
        columns,
        lob_mode,
        lob_key,
        primary_key,
        identity,
        identity_index: identity_index.filter(|_| found.replica_identity == "i"),
        estimated_rows: found.estimated_rows,
        load_order: found.load_order,
        refusal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::settings::complete;

    fn table(replica_identity: &str, keys: &[FoundKey], type_names: &[(&str, &str)]) -> Table {
        let found = Found {
            oid: 1,
            schema: "app".to_owned(),
            name: "t".to_owned(),
            replica_identity: replica_identity.to_owned(),
            estimated_rows: 0,
            load_order: 0,
        };
        let columns = type_names
            .iter()
            .map(|(name, type_name)| FoundColumn {
                name: (*name).to_owned(),
                type_name: (*type_name).to_owned(),
                facts: TypeFacts {
                    name: (*type_name).to_owned(),
                    schema: "pg_catalog".to_owned(),
                    kind: 'b',
                    is_array: type_name.starts_with('_'),
                    modifier: -1,
                },
                not_null: false,
            })
            .collect();
        let settings = TaskSettings::read(&complete(None).unwrap()).unwrap();
        let mappings =
            TypeMappings { boolean_as_boolean: true, unbounded_numeric_as_string: true, unbounded_varchar_max: 8000 };
        describe(found, columns, keys, &TableMapping::default(), &settings, &mappings)
    }

    fn key(is_primary: bool, is_replica_identity: bool, column: &str) -> FoundKey {
        FoundKey { is_primary, is_replica_identity, columns: vec![column.to_owned()] }
    }

    #[test]
    fn rows_are_found_by_what_the_log_gives() {
        let columns = [("id", "int4"), ("code", "int4")];
        let cases = [
            ("d", vec![key(true, false, "id")], Identity::Key(vec![0])),
            ("d", vec![], Identity::None),
            ("d", vec![key(false, false, "code")], Identity::None),
            ("i", vec![key(false, true, "code")], Identity::Key(vec![1])),
            ("f", vec![], Identity::FullRow),
            ("f", vec![key(false, false, "code")], Identity::Key(vec![1])),
            ("n", vec![key(true, false, "id")], Identity::Key(vec![0])),
        ];

        for (replica_identity, keys, expected) in cases {
            let table = table(replica_identity, &keys, &columns);
            assert_eq!(table.identity, expected, "{replica_identity}");
        }
    }

    #[test]
    fn large_values_without_a_key_stay_behind_and_arrays_refuse_the_table() {
        assert_eq!(table("d", &[], &[("id", "int4"), ("t", "text")]).lob_mode, LobMode::NotCarried);
        assert!(table("d", &[], &[("id", "int4"), ("a", "_int4")]).refusal.is_some());
        let keyed = table("d", &[key(false, false, "id")], &[("id", "int4"), ("a", "_int4")]);
        assert_eq!(keyed.lob_mode, LobMode::Limited(32));
        assert!(keyed.refusal.is_none());
    }
}
