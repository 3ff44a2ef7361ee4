//! Rows of both sides: their number and a checksum that does not depend on their order, computed by the servers.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use serde::Serialize;
use tokio_postgres::Client;

use super::{OF_THE_RUN, differing};

/// One table on both sides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TableComparison {
    /// Schema.
    pub schema: String,
    /// Table; a partition stands for itself.
    pub name: String,
    /// Rows on the source; absent if it lacks the table.
    pub rows_source: Option<i64>,
    /// Rows on the target; absent if it lacks the table.
    pub rows_target: Option<i64>,
    /// Same number of rows, same total length, same checksum.
    pub equal: bool,
    /// The first few rows that differ, if the table is not too large to look for them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub differing: Vec<String>,
}

/// Larger tables are not searched for their differing rows.
const LARGEST_SEARCHED: i64 = 2_000_000;

type Name = (String, String);

/// Compare every ordinary table and partition but those to leave out. Both clients are in a transaction with a snapshot.
pub(super) async fn compare(
    source: &Client,
    target: &Client,
    leave_out: &BTreeSet<Name>,
) -> Result<Vec<TableComparison>> {
    let (on_source, on_target) = tokio::try_join!(tables(source), tables(target))?;
    let mut compared = Vec::new();
    for name in on_source.union(&on_target).filter(|name| !leave_out.contains(*name)) {
        let (ours, theirs) = tokio::try_join!(
            sums(source, name, on_source.contains(name)),
            sums(target, name, on_target.contains(name))
        )?;
        let searchable =
            ours.as_ref().zip(theirs.as_ref()).filter(|(ours, theirs)| ours != theirs && ours.rows < LARGEST_SEARCHED);
        let differing = match searchable {
            Some(_) => differing::describe(source, target, &name.0, &name.1).await?,
            None => Vec::new(),
        };
        compared.push(TableComparison {
            schema: name.0.clone(),
            name: name.1.clone(),
            rows_source: ours.as_ref().map(|sums| sums.rows),
            rows_target: theirs.as_ref().map(|sums| sums.rows),
            equal: ours == theirs,
            differing,
        });
    }
    Ok(compared)
}

async fn tables(client: &Client) -> Result<BTreeSet<Name>> {
    let sql = format!(
        "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relkind = 'r' AND n.nspname !~ '^(pg_|information_schema$)' AND n.nspname NOT IN {OF_THE_RUN}"
    );
    let rows = client.query(sql.as_str(), &[]).await.context("list tables")?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

#[derive(Debug, PartialEq, Eq)]
struct Sums {
    rows: i64,
    length: String,
    checksum: String,
}

async fn sums(client: &Client, (schema, table): &Name, exists: bool) -> Result<Option<Sums>> {
    if !exists {
        return Ok(None);
    }
    let from = format!("ONLY {}.{} AS row_of_the_table", quote(schema), quote(table));
    let row = client.query_one(&sums_of(&from), &[]).await.with_context(|| format!("sum up {schema}.{table}"))?;
    Ok(Some(Sums { rows: row.get(0), length: row.get(1), checksum: row.get(2) }))
}

/// A query that sums up the rows of `from`, whose alias is `row_of_the_table`.
pub(super) fn sums_of(from: &str) -> String {
    format!(
        "SELECT count(*), coalesce(sum(octet_length(row_of_the_table::text)), 0)::text,
                coalesce(sum(hashtextextended(row_of_the_table::text, 0)::numeric), 0)::text FROM {from}"
    )
}

/// An SQL identifier.
pub(super) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
