//! What the catalogs say of an operator's tables, as far as it matters for a row that a client makes.

use anyhow::{Context, Result};
use serde::Deserialize;
use tokio_postgres::Client;

/// A table of the operator's.
#[derive(Debug, Clone)]
pub(super) struct Table {
    pub(super) schema: String,
    pub(super) name: String,
    pub(super) partitioned: bool,
    /// What is written may not be what is stored.
    pub(super) has_rules: bool,
    /// Some foreign key leads here: its key stays as it is.
    pub(super) is_referenced: bool,
    pub(super) columns: Vec<Column>,
    /// Columns by which a row is found again; none if it has no key.
    pub(super) key: Vec<String>,
    pub(super) references: Vec<Reference>,
}

/// One of its columns.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Column {
    pub(super) name: String,
    /// As SQL would want it.
    #[serde(rename = "type")]
    pub(super) sql_type: String,
    /// The type under a domain, else the same.
    pub(super) base: String,
    /// Of an enum.
    pub(super) labels: Vec<String>,
    pub(super) not_null: bool,
    /// Its expression; empty if there is none.
    pub(super) default: String,
    pub(super) identity: String,
    pub(super) generated: bool,
    /// Some unique index has it.
    pub(super) unique: bool,
    /// It decides on the partition.
    pub(super) partition: bool,
}

/// A foreign key.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Reference {
    /// The referenced table, quoted and qualified.
    pub(super) table: String,
    pub(super) columns: Vec<String>,
    pub(super) referenced: Vec<String>,
}

impl Column {
    /// The server makes a new value for each row.
    pub(super) fn is_numbered(&self) -> bool {
        let makes_values = ["nextval(", "gen_random_uuid(", "uuid_generate_"];
        !self.identity.is_empty() || makes_values.iter().any(|name| self.default.contains(name))
    }
}

impl Table {
    /// Quoted and qualified.
    pub(super) fn sql(&self) -> String {
        format!("{}.{}", quote(&self.schema), quote(&self.name))
    }

    /// The rows that are its own: those of its partitions, but not those of tables that inherit from it.
    pub(super) fn rows(&self) -> String {
        if self.partitioned { self.sql() } else { format!("ONLY {}", self.sql()) }
    }

    pub(super) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    pub(super) fn is_foreign(&self, column: &str) -> bool {
        self.references.iter().any(|reference| reference.columns.iter().any(|own| own == column))
    }
}

/// Every table.
pub(super) async fn read(client: &Client) -> Result<Vec<Table>> {
    client.batch_execute("SET search_path = ''").await.context("prepare the reading of tables")?;
    let rows = client.query(include_str!("tables.sql"), &[]).await.context("read the operator's tables")?;
    client.batch_execute("RESET search_path").await.context("go on with the usual search_path")?;
    rows.iter()
        .map(|row| {
            let key: Option<serde_json::Value> = row.get(6);
            Ok(Table {
                schema: row.get(0),
                name: row.get(1),
                partitioned: row.get(2),
                has_rules: row.get(3),
                is_referenced: row.get(4),
                columns: serde_json::from_value(row.get(5)).context("read columns")?,
                key: key.map(serde_json::from_value).transpose().context("read a key")?.unwrap_or_default(),
                references: serde_json::from_value(row.get(7)).context("read foreign keys")?,
            })
        })
        .collect()
}

/// An SQL identifier.
pub(super) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
