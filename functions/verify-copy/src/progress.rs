//! What was compared, kept on the target, so that a call knows what the calls before it found.

use std::fmt;

use pgleap_pg::{PgError, Session, ident, qualified};
use pgleap_step_kit::prelude::*;

/// How many tables a call reads at once.
const PAGE: i64 = 2_000;

/// A table that is carried.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Table {
    pub(crate) schema: String,
    pub(crate) name: String,
    /// How often it was compared and found different, or locked.
    pub(crate) tries: i32,
    /// The difference of the last look at which the source stood still.
    pub(crate) suspicion: Option<Suspicion>,
}

/// A difference that counts if it is there again, the very same, after a while.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Suspicion {
    /// Both sums and the count of changes to the source's table.
    pub(crate) what: String,
    /// Since it was noted.
    pub(crate) age_seconds: f64,
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

/// What a comparison found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    /// The same rows on both sides.
    Equal,
    /// It never stood still, or is too large.
    Skipped,
    /// Nothing: the table is locked, or clients write to it.
    Nothing,
    /// A difference while the source stood still, for the first time.
    Suspicion(String),
    /// The same difference as before, too soon to count.
    SameSuspicion,
}

/// How many tables are in which state.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) pending: u64,
    pub(crate) equal: u64,
    pub(crate) skipped: u64,
}

/// List the source's tables on the target, once for each time that the copy was mended.
pub(crate) async fn begin(source: &Session, target: &Session, mends: u32) -> StepResult<()> {
    target.run("make pgleap.verified", include_str!("verified.sql")).await?;
    let mends = i64::from(mends);
    let begun = "SELECT EXISTS (SELECT FROM pgleap.verify_begin WHERE mends = $1)";
    if target.row("look for earlier comparisons", begun, &[&mends]).await?.get(0) {
        return Ok(());
    }
    target.run("forget earlier comparisons", "TRUNCATE pgleap.verified, pgleap.verify_begin").await?;
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
    Ok(target.row("read the begin of the comparison", sql, &[]).await?.get(0))
}

/// Tables to compare: the ones that were never tried first, small ones before large ones.
pub(crate) async fn pending(target: &Session) -> Result<Vec<Table>, PgError> {
    let sql = "SELECT schema, name, tries, suspicion, extract(epoch FROM clock_timestamp() - suspected_at)::float8
               FROM pgleap.verified WHERE state = 'pending' ORDER BY tries, bytes LIMIT $1";
    let rows = target.rows("read tables to compare", sql, &[&PAGE]).await?;
    let table = |row: &tokio_postgres::Row| {
        let what: Option<String> = row.get(3);
        let age: Option<f64> = row.get(4);
        let suspicion = what.zip(age).map(|(what, age_seconds)| Suspicion { what, age_seconds });
        Table { schema: row.get(0), name: row.get(1), tries: row.get(2), suspicion }
    };
    Ok(rows.iter().map(table).collect())
}

pub(crate) async fn note(target: &Session, table: &Table, found: &Found) -> Result<(), PgError> {
    let (state, suspicion) = match found {
        Found::Equal => ("equal", None),
        Found::Skipped => ("skipped", None),
        Found::Nothing => ("pending", None),
        Found::Suspicion(what) => ("pending", Some(what)),
        Found::SameSuspicion => return Ok(()),
    };
    let sql =
        "UPDATE pgleap.verified SET state = $3, tries = tries + 1, suspicion = $4, suspected_at = clock_timestamp()
               WHERE schema = $1 AND name = $2";
    target.rows("note a comparison", sql, &[&table.schema, &table.name, &state, &suspicion]).await?;
    Ok(())
}

/// The budget of time is used up.
pub(crate) async fn skip_pending(target: &Session) -> Result<(), PgError> {
    target.run("skip the rest", "UPDATE pgleap.verified SET state = 'skipped' WHERE state = 'pending'").await
}

pub(crate) async fn totals(target: &Session) -> Result<Totals, PgError> {
    let mut totals = Totals::default();
    let sql = "SELECT state, count(*) FROM pgleap.verified GROUP BY state";
    for row in target.rows("count comparisons", sql, &[]).await? {
        let count = row.get::<_, i64>(1).unsigned_abs();
        match row.get::<_, &str>(0) {
            "equal" => totals.equal = count,
            "skipped" => totals.skipped = count,
            _pending => totals.pending = count,
        }
    }
    Ok(totals)
}
