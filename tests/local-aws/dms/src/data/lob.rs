//! Large values of a load in full LOB mode: written to rows that are there, found by key.
//!
//! DMS writes each value in chunks of its own; here they go in batches. What can be seen from outside is the same:
//! the row stands first, its large columns null, and the values come in later transactions.

use futures_util::TryStreamExt;
use tokio_postgres::Client;

use super::columns::{Table, quoted, travels_apart};
use super::failure::Failure;
use super::faults::Faults;
use super::load::LoadFailure;

/// Bytes of values after which a batch is written.
const BATCH_BYTES: usize = 2 * 1024 * 1024;
/// Rows after which a batch is written.
const BATCH_ROWS: usize = 2000;

/// Copy the large values of every row that has one which did not come with its row.
pub(crate) async fn copy(
    source: &Client,
    target: &Client,
    table: &Table,
    inline_kilobytes: u64,
    faults: &Faults,
) -> Result<(), LoadFailure> {
    let columns: Vec<usize> = table.lob_key.iter().flatten().copied().chain(table.lobs()).collect();
    let update = target.prepare(&update(table)).await.map_err(Failure::from)?;
    let rows = source
        .query_raw(&selection(table, inline_kilobytes), std::iter::empty::<&str>())
        .await
        .map_err(Failure::from)?;
    let mut rows = std::pin::pin!(rows);
    let mut batch = Batch::new(columns.len());
    while let Some(row) = rows.try_next().await.map_err(Failure::from)? {
        for position in 0..columns.len() {
            batch.push(position, row.get(position));
        }
        batch.rows += 1;
        if batch.bytes >= BATCH_BYTES || batch.rows >= BATCH_ROWS {
            faults.look_up(batch.rows).await;
            batch.write(target, &update).await?;
        }
    }
    faults.look_up(batch.rows).await;
    Ok(batch.write(target, &update).await?)
}

struct Batch {
    columns: Vec<Vec<Option<String>>>,
    rows: usize,
    bytes: usize,
}

impl Batch {
    fn new(columns: usize) -> Self {
        Self { columns: vec![Vec::new(); columns], rows: 0, bytes: 0 }
    }

    fn push(&mut self, column: usize, value: Option<String>) {
        self.bytes += value.as_ref().map_or(0, String::len);
        self.columns[column].push(value);
    }

    async fn write(&mut self, target: &Client, update: &tokio_postgres::Statement) -> Result<(), Failure> {
        if self.rows > 0 {
            target.execute_raw(update, self.columns.iter()).await?;
            *self = Self::new(self.columns.len());
        }
        Ok(())
    }
}

fn selection(table: &Table, inline_kilobytes: u64) -> String {
    let name = |position: &usize| quoted(&table.columns[*position].name);
    let lobs = table.lobs();
    let selected: Vec<_> =
        table.lob_key.iter().flatten().chain(&lobs).map(|position| format!("{}::text", name(position))).collect();
    let apart: Vec<_> =
        lobs.iter().map(|position| travels_apart(&table.columns[*position], inline_kilobytes)).collect();
    format!("SELECT {} FROM {} WHERE {}", selected.join(","), table.qualified(), apart.join(" OR "))
}

fn update(table: &Table) -> String {
    let keys = table.lob_key.as_deref().unwrap_or_default();
    let lobs = table.lobs();
    let value = |number: usize, position: &usize| format!("v.c{number}::{}", table.columns[*position].type_name);
    let name = |position: &usize| quoted(&table.columns[*position].name);
    let set: Vec<_> = lobs
        .iter()
        .enumerate()
        .map(|(number, position)| format!("{}={}", name(position), value(keys.len() + number, position)))
        .collect();
    let place: Vec<_> = keys
        .iter()
        .enumerate()
        .map(|(number, position)| format!("t.{}={}", name(position), value(number, position)))
        .collect();
    let count = keys.len() + lobs.len();
    let arrays: Vec<_> = (1..=count).map(|number| format!("${number}::text[]")).collect();
    let aliases: Vec<_> = (0..count).map(|number| format!("c{number}")).collect();
    format!(
        "UPDATE {} t SET {} FROM unnest({}) AS v({}) WHERE {}",
        table.qualified(),
        set.join(","),
        arrays.join(","),
        aliases.join(","),
        place.join(" AND ")
    )
}
