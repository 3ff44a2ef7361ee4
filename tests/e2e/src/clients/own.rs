//! Writes to an operator's own tables, by what the catalogs say of them and what the source takes.
//!
//! A row is known by its key, or by all of it where there is no key; what it holds is known by a hash that the server
//! computes when it writes the row. So the clients need not understand the values, and triggers may change them.

mod ask;
mod catalog;
mod plan;
mod trial;
mod values;

pub(super) use plan::OwnPlanner;

use anyhow::{Context, Result};
use fastrand::Rng;
use futures_util::{TryStreamExt, pin_mut};
use serde::Serialize;
use tokio_postgres::Client;

use catalog::{Column, Table, quote};
use values::Maker;

/// Settings that make both majors print every value alike. The search_path stays: triggers may need it.
pub(super) const ALIKE: &str = "
    SET extra_float_digits = 1; SET timezone = 'UTC'; SET datestyle = 'ISO, YMD'; SET intervalstyle = 'postgres';
    SET bytea_output = 'hex'; SET xmlbinary = 'base64'";
/// More tables than this are not tried.
const MOST_TABLES: usize = 300;

/// Tables that clients write to, and those that they cannot.
#[derive(Debug, Clone, Default)]
pub struct OwnTables {
    /// In the order of their numbers.
    pub(super) tables: Vec<OwnTable>,
    /// The others.
    pub not_written: Vec<NotWritten>,
}

/// A table that no client writes to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NotWritten {
    /// Schema and name.
    pub table: String,
    /// Why.
    pub reason: String,
}

/// How a table is written to.
#[derive(Debug, Clone)]
pub(super) struct OwnTable {
    /// Quoted and qualified.
    pub(super) name: String,
    rows: String,
    key: Vec<ColumnOf>,
    inserts: Inserts,
    updates: Vec<Update>,
    /// A new value for a column of the key.
    moves: Option<Update>,
    deletes: bool,
}

/// A column as statements name it.
#[derive(Debug, Clone)]
struct ColumnOf {
    name: String,
    sql_type: String,
}

#[derive(Debug, Clone)]
struct Inserts {
    columns: Vec<ColumnOf>,
    rows: Vec<Vec<Cell>>,
    /// Each row can be inserted once.
    once: bool,
}

/// A value of a row to insert.
#[derive(Debug, Clone)]
enum Cell {
    Value(Option<String>),
    Fresh(Maker),
}

#[derive(Debug, Clone)]
struct Update {
    column: ColumnOf,
    maker: Maker,
}

impl ColumnOf {
    fn new(column: &Column) -> Self {
        Self { name: quote(&column.name), sql_type: column.sql_type.clone() }
    }
}

impl Inserts {
    /// The values of a row; by its number where each can be inserted once.
    fn row(&self, rng: &mut Rng, number: usize) -> Option<Vec<Option<String>>> {
        let number = if self.once { number } else { rng.usize(0..self.rows.len().max(1)) };
        let cells = self.rows.get(number)?;
        let values = cells.iter().map(|cell| match cell {
            Cell::Value(value) => value.clone(),
            Cell::Fresh(maker) => maker.make(rng),
        });
        Some(values.collect())
    }
}

impl OwnTable {
    fn new(table: &Table, inserts: Inserts) -> Self {
        let key = table.key.iter().filter_map(|name| table.column(name)).map(ColumnOf::new).collect();
        Self { name: table.sql(), rows: table.rows(), key, inserts, updates: Vec::new(), moves: None, deletes: false }
    }

    /// The row's number as hexadecimal digits, a hash of all of it, and the key's values, as one array of texts.
    fn returned(&self) -> String {
        let texts: Vec<_> = self.key.iter().map(|column| format!("own_row.{}::text", column.name)).collect();
        let number =
            if texts.is_empty() { "own_row::text".to_owned() } else { format!("ARRAY[{}]::text", texts.join(", ")) };
        let parts = [format!("md5({number})"), "hashtextextended(own_row::text, 0)::text".to_owned()];
        format!("ARRAY[{}]", parts.into_iter().chain(texts).collect::<Vec<_>>().join(", "))
    }

    fn insert_sql(&self) -> String {
        let names: Vec<_> = self.inserts.columns.iter().map(|column| column.name.as_str()).collect();
        let values = self.inserts.columns.iter().enumerate();
        let values: Vec<_> =
            values.map(|(place, column)| format!("${}::text::{}", place + 1, column.sql_type)).collect();
        let columns = match names.as_slice() {
            [] => "DEFAULT VALUES".to_owned(),
            names => format!("({}) VALUES ({})", names.join(", "), values.join(", ")),
        };
        format!("INSERT INTO {} AS own_row {columns} RETURNING {}", self.name, self.returned())
    }

    /// The new value is the first parameter, the key's values follow.
    fn update_sql(&self, column: &ColumnOf) -> String {
        let set = format!("{} = $1::text::{}", column.name, column.sql_type);
        format!("UPDATE {} AS own_row SET {set} WHERE {} RETURNING {}", self.rows, self.with_key(2), self.returned())
    }

    fn delete_sql(&self) -> String {
        format!("DELETE FROM {} AS own_row WHERE {} RETURNING {}", self.rows, self.with_key(1), self.returned())
    }

    fn find_sql(&self) -> String {
        format!("SELECT {} FROM {} AS own_row WHERE {}", self.returned(), self.rows, self.with_key(1))
    }

    fn with_key(&self, first: usize) -> String {
        let one = |(place, column): (usize, &ColumnOf)| {
            format!("own_row.{} = ${}::text::{}", column.name, first + place, column.sql_type)
        };
        self.key.iter().enumerate().map(one).collect::<Vec<_>>().join(" AND ")
    }
}

impl OwnTables {
    /// Find out, on the source, as the login that the clients will use. Nothing stays of what is tried.
    pub async fn find(client: &Client, key_updates: bool) -> Result<Self> {
        client.batch_execute(ALIKE).await.context("prepare the trials")?;
        let mut found = Self::default();
        let mut rng = Rng::with_seed(1);
        for (place, table) in catalog::read(client).await?.iter().enumerate() {
            let name = table.sql();
            if place >= MOST_TABLES {
                found
                    .not_written
                    .push(NotWritten { table: name, reason: format!("only the first {MOST_TABLES} tables are tried") });
                continue;
            }
            client.batch_execute("BEGIN; SET LOCAL lock_timeout = '2s'").await.context("begin trials")?;
            let tried = trial::table(client, table, key_updates, &mut rng).await;
            client.batch_execute("ROLLBACK").await.context("end trials")?;
            match tried.with_context(|| format!("try writes to {name}"))? {
                Ok(table) => found.tables.push(table),
                Err(reason) => found.not_written.push(NotWritten { table: name, reason }),
            }
        }
        Ok(found)
    }

    /// Names of the tables that are written to, in the order of their numbers.
    pub fn names(&self) -> Vec<&str> {
        self.tables.iter().map(|table| table.name.as_str()).collect()
    }

    /// Every row of every table: its table's number, its own number, and its hash. `see` is called for each.
    pub(super) async fn each_row(&self, client: &Client, mut see: impl FnMut(u16, u128, i64)) -> Result<()> {
        client.batch_execute(ALIKE).await.context("prepare to read back")?;
        for (number, table) in self.tables.iter().enumerate() {
            let sql = format!("SELECT {} FROM {} AS own_row", table.returned(), table.rows);
            let no_params: [&str; 0] = [];
            let rows = client.query_raw(&sql, no_params).await.with_context(|| format!("read back {}", table.name))?;
            pin_mut!(rows);
            while let Some(row) = rows.try_next().await.with_context(|| format!("read back {}", table.name))? {
                if let Some((id, hash)) = identity(&row.get::<_, Vec<Option<String>>>(0)) {
                    see(u16::try_from(number)?, id, hash);
                }
            }
        }
        Ok(())
    }
}

/// Number and hash of a row as [`OwnTable::returned`] gives it.
pub(super) fn identity(returned: &[Option<String>]) -> Option<(u128, i64)> {
    let text = |place: usize| returned.get(place)?.as_deref();
    Some((u128::from_str_radix(text(0)?, 16).ok()?, text(1)?.parse().ok()?))
}
