//! What was compared, kept on the target, so that a call knows what the calls before it found.

use std::fmt;

use pgleap_contract::steps::{TableName, UncomparedTable, VerifyCopyOutput};
use pgleap_pg::{PgError, Session, fingerprint, ident, qualified};
use pgleap_step_kit::prelude::*;

use crate::layout::Key;

/// How many tables a call reads at once.
const PAGE: i64 = 2_000;

/// A table that is carried.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Table {
    pub(crate) schema: String,
    pub(crate) name: String,
    /// On the source's disk, without indexes.
    pub(crate) bytes: i64,
    pub(crate) cursor: Cursor,
}

/// How far a table was scanned.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// Up to this key; from the beginning if absent.
    pub(crate) position: Option<Key>,
    /// To its end.
    pub(crate) scanned: bool,
    /// How many rows the next chunk takes.
    pub(crate) chunk: i64,
    /// How often the next chunk had more differences than can be looked at one by one.
    pub(crate) repeats: i32,
}

impl Table {
    /// Quoted for a statement.
    pub(crate) fn quoted(&self) -> String {
        qualified(&self.schema, &self.name)
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", ident(&self.schema), ident(&self.name))
    }
}

/// A row that differed when its chunk was read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct OpenRow {
    pub(crate) id: i64,
    pub(crate) key: Key,
    /// How often it was looked at, and was different each time.
    pub(crate) visits: i32,
    /// What was different at the last visit, if it stood still on both sides; and how long ago, in seconds.
    pub(crate) difference: Option<(String, f64)>,
}

/// What a visit found of open rows. The ones that are in none of these lists stay as they are.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Judged {
    pub(crate) settled: Vec<i64>,
    /// Id, difference, whether it is given up.
    pub(crate) open: Vec<(i64, Option<String>, bool)>,
}

/// Why a table cannot be compared, in words.
pub(crate) type Why = String;

/// How many tables are in which state.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) pending: u64,
    pub(crate) equal: u64,
    pub(crate) uncompared: u64,
}

/// List the source's tables on the target, once for each time that the copy was mended.
pub(crate) async fn begin(source: &Session, target: &Session, mends: u32) -> StepResult<()> {
    target.run("create pgleap.verified", include_str!("verified.sql")).await?;
    let mends = i64::from(mends);
    let begun = "SELECT EXISTS (SELECT FROM pgleap.verify_begin WHERE mends = $1)";
    if target.row("look for earlier comparisons", begun, &[&mends]).await?.get(0) {
        return Ok(());
    }
    let forget = "TRUNCATE pgleap.verified, pgleap.verify_row, pgleap.verify_begin";
    target.run("delete earlier comparisons", forget).await?;
    // A table that is loaded again after this is not what was compared.
    fingerprint::take_filenodes(target).await?;
    let tables = source.rows("list tables of the source", include_str!("tables.sql"), &[]).await?;
    let schemas: Vec<String> = tables.iter().map(|row| row.get(0)).collect();
    let names: Vec<String> = tables.iter().map(|row| row.get(1)).collect();
    let bytes: Vec<i64> = tables.iter().map(|row| row.get(2)).collect();
    // One statement, so one transaction: either all are listed, or the next call lists them.
    let list = "WITH listed AS (
                    INSERT INTO pgleap.verified (schema, name, bytes)
                    SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[]) ON CONFLICT DO NOTHING)
                INSERT INTO pgleap.verify_begin (mends) VALUES ($4) ON CONFLICT DO NOTHING";
    target.rows("list tables to compare", list, &[&schemas, &names, &bytes, &mends]).await?;
    Ok(())
}

pub(crate) async fn seconds_since_begin(target: &Session) -> Result<f64, PgError> {
    let sql = "SELECT extract(epoch FROM clock_timestamp() - at)::float8 FROM pgleap.verify_begin";
    Ok(target.row("read when the comparison began", sql, &[]).await?.get(0))
}

/// Tables to compare that were visited before, or that were not, small ones before large ones.
pub(crate) async fn pending(target: &Session, visited: bool) -> Result<Vec<Table>, PgError> {
    let sql = "SELECT schema, name, bytes, position, scanned, chunk, repeats FROM pgleap.verified
               WHERE state = 'pending' AND (visits > 0) = $1 ORDER BY visits, bytes LIMIT $2";
    let rows = target.rows("read tables to compare", sql, &[&visited, &PAGE]).await?;
    let table = |row: &tokio_postgres::Row| Table {
        schema: row.get(0),
        name: row.get(1),
        bytes: row.get(2),
        cursor: Cursor { position: row.get(3), scanned: row.get(4), chunk: row.get(5), repeats: row.get(6) },
    };
    Ok(rows.iter().map(table).collect())
}

/// It holds the same rows on both sides.
pub(crate) async fn note_equal(target: &Session, table: &Table) -> Result<(), PgError> {
    finish(target, table, "equal", None).await
}

/// It cannot be compared.
pub(crate) async fn note_uncompared(target: &Session, table: &Table, why: &Why) -> Result<(), PgError> {
    finish(target, table, "uncompared", Some(why)).await
}

async fn finish(target: &Session, table: &Table, state: &str, why: Option<&Why>) -> Result<(), PgError> {
    let sql = "WITH rows AS (DELETE FROM pgleap.verify_row WHERE schema = $1 AND name = $2)
               UPDATE pgleap.verified SET state = $3, why = $4 WHERE schema = $1 AND name = $2";
    target.rows("record a comparison", sql, &[&table.schema, &table.name, &state, &why]).await?;
    Ok(())
}

/// It was looked at, and is to be looked at again.
pub(crate) async fn note_visit(target: &Session, table: &Table) -> Result<(), PgError> {
    let sql = "UPDATE pgleap.verified SET visits = visits + 1 WHERE schema = $1 AND name = $2";
    target.rows("record an attempt", sql, &[&table.schema, &table.name]).await?;
    Ok(())
}

/// A chunk was read: rows of it that differ, and how far the scan came by that. At once, so that none is forgotten.
pub(crate) async fn note_chunk(target: &Session, table: &Table, to: &Cursor, open: &[Key]) -> Result<(), PgError> {
    // Keys travel value by value, because the driver knows no arrays of arrays.
    let sql = "WITH moved AS (
                   UPDATE pgleap.verified SET position = $3, scanned = $4, chunk = $5, repeats = $6 WHERE schema = $1 AND name = $2)
               INSERT INTO pgleap.verify_row (schema, name, key)
               SELECT $1, $2, array_agg(k.value ORDER BY k.place)
               FROM unnest($7::bigint[], $8::bigint[], $9::text[]) AS k (number, place, value) GROUP BY k.number";
    let (mut numbers, mut places, mut values) = (Vec::new(), Vec::new(), Vec::new());
    for (number, key) in (0_i64..).zip(open) {
        for (place, value) in (0_i64..).zip(key) {
            numbers.push(number);
            places.push(place);
            values.push(value.as_str());
        }
    }
    let Cursor { position, scanned, chunk, repeats } = to;
    let doing = "record the rows that differ";
    target
        .rows(doing, sql, &[&table.schema, &table.name, position, scanned, chunk, repeats, &numbers, &places, &values])
        .await?;
    Ok(())
}

/// Rows of the table that differed at every look, without those that were given up.
pub(crate) async fn open_rows(target: &Session, table: &Table) -> Result<Vec<OpenRow>, PgError> {
    let sql = "SELECT id, key, visits, difference, extract(epoch FROM clock_timestamp() - seen_at)::float8
               FROM pgleap.verify_row WHERE schema = $1 AND name = $2 AND NOT given_up ORDER BY id";
    let rows = target.rows("read rows that differ", sql, &[&table.schema, &table.name]).await?;
    let row = |row: &tokio_postgres::Row| OpenRow {
        id: row.get(0),
        key: row.get(1),
        visits: row.get(2),
        difference: row.get::<_, Option<String>>(3).zip(row.get(4)),
    };
    Ok(rows.iter().map(row).collect())
}

/// How many rows of the table were given up.
pub(crate) async fn rows_given_up(target: &Session, table: &Table) -> Result<i64, PgError> {
    let sql = "SELECT count(*) FROM pgleap.verify_row WHERE schema = $1 AND name = $2 AND given_up";
    Ok(target.row("count rows that changed all the time", sql, &[&table.schema, &table.name]).await?.get(0))
}

pub(crate) async fn note_judged(target: &Session, judged: &Judged) -> Result<(), PgError> {
    let sql = "WITH settled AS (DELETE FROM pgleap.verify_row WHERE id = ANY ($1::bigint[]))
               UPDATE pgleap.verify_row r
               SET visits = r.visits + 1, difference = j.difference, given_up = j.given_up, seen_at = clock_timestamp()
               FROM unnest($2::bigint[], $3::text[], $4::boolean[]) AS j (id, difference, given_up) WHERE r.id = j.id";
    let ids: Vec<i64> = judged.open.iter().map(|(id, _, _)| *id).collect();
    let differences: Vec<Option<&str>> = judged.open.iter().map(|(_, difference, _)| difference.as_deref()).collect();
    let given_up: Vec<bool> = judged.open.iter().map(|(_, _, given_up)| *given_up).collect();
    target.rows("record rows that differ", sql, &[&judged.settled, &ids, &differences, &given_up]).await?;
    Ok(())
}

/// The budget of time is used up.
pub(crate) async fn give_up_pending(target: &Session, why: &Why) -> Result<(), PgError> {
    let sql = "UPDATE pgleap.verified SET state = 'uncompared', why = $1 WHERE state = 'pending'";
    target.rows("give up the remaining tables", sql, &[why]).await?;
    Ok(())
}

pub(crate) async fn totals(target: &Session) -> Result<Totals, PgError> {
    let mut totals = Totals::default();
    let sql = "SELECT state, count(*) FROM pgleap.verified GROUP BY state";
    for row in target.rows("count comparisons", sql, &[]).await? {
        let count = row.get::<_, i64>(1).unsigned_abs();
        match row.get::<_, &str>(0) {
            "equal" => totals.equal = count,
            "uncompared" => totals.uncompared = count,
            _pending => totals.pending = count,
        }
    }
    Ok(totals)
}

/// The first of the tables that were not compared, by name.
pub(crate) async fn uncompared(target: &Session) -> Result<Vec<UncomparedTable>, PgError> {
    let sql =
        "SELECT schema, name, coalesce(why, '') FROM pgleap.verified WHERE state = 'uncompared' ORDER BY 1, 2 LIMIT $1";
    let listed = i64::try_from(VerifyCopyOutput::LISTED).unwrap_or(i64::MAX);
    let rows = target.rows("list tables that were not compared", sql, &[&listed]).await?;
    let table = |row: &tokio_postgres::Row| UncomparedTable {
        table: TableName { schema: row.get(0), table: row.get(1) },
        why: row.get(2),
    };
    Ok(rows.iter().map(table).collect())
}
