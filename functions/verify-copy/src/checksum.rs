//! Rows and an order-independent checksum of one table on one side, worked out by the server.

use std::time::Duration;

use pgleap_pg::{PgError, PgErrorKind, Session, ident};
use tokio_postgres::error::SqlState;

use crate::progress::Table;

/// What a side says of a table. Two tables with the same multiset of rows have the same sum; two with different ones
/// have it with a chance of about one in 2^64.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sum {
    pub(crate) rows: i64,
    pub(crate) hash: String,
}

/// The answer of a side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    Sum(Sum),
    /// A lock held it up, or it was cancelled: try again later.
    Busy,
    /// It takes longer than there is time.
    TooLarge,
}

/// Settings on which the text of a value depends and that the connection does not pin already. Row security raises an
/// error here where it would otherwise hide rows.
pub(crate) async fn prepare(session: &Session) -> Result<(), PgError> {
    session.run("pin settings", "SET lc_monetary = 'C'; SET row_security = off; SET lock_timeout = '5s'").await
}

/// How many rows of the source's table were inserted, updated or deleted since its statistics began. A server adds up a
/// session's changes within ten seconds (PostgreSQL 15's idle interval, the longest of all majors).
pub(crate) async fn changes(source: &Session, table: &Table) -> Result<i64, PgError> {
    let sql = "SELECT coalesce(pg_stat_get_tuples_inserted(oid) + pg_stat_get_tuples_updated(oid) + pg_stat_get_tuples_deleted(oid), 0)
               FROM pg_catalog.pg_class WHERE oid = $1::text::regclass";
    Ok(source.row("count changes", sql, &[&table.quoted()]).await?.get(0))
}

/// Columns to compare, in their order. Generated ones are not carried: each side works them out for itself.
pub(crate) async fn columns(source: &Session, table: &Table) -> Result<Vec<String>, PgError> {
    let sql = "SELECT attname::text FROM pg_catalog.pg_attribute
               WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum";
    let rows = source.rows("read columns", sql, &[&table.quoted()]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Sum the table up, within `time`.
pub(crate) async fn sum(
    session: &Session,
    table: &Table,
    columns: &[String],
    time: Duration,
) -> Result<Answer, PgError> {
    session.run("limit the statement", &format!("SET statement_timeout = {}", time.as_millis().max(1))).await?;
    let doing = format!("sum up table {table}");
    match session.row(&doing, &statement(table, columns), &[]).await {
        Ok(row) => Ok(Answer::Sum(Sum { rows: row.get(0), hash: row.get(1) })),
        Err(error) if error.state == Some(SqlState::QUERY_CANCELED) => Ok(Answer::TooLarge),
        Err(error) if error.kind == PgErrorKind::Busy => Ok(Answer::Busy),
        Err(error) => Err(error),
    }
}

/// ONLY, because a table with children is carried on its own. The hash is that of the row's text, whose form is the
/// same on all majors (tested from 13 to 18); the C collation keeps a nondeterministic one out of it.
fn statement(table: &Table, columns: &[String]) -> String {
    let columns: Vec<String> = columns.iter().map(|column| format!("t.{}", ident(column))).collect();
    format!(
        "SELECT count(*), coalesce(sum(hashtextextended(ROW({})::text COLLATE \"C\", 0)), 0)::text FROM ONLY {} t",
        columns.join(", "),
        table.quoted()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted() {
        let table = Table { schema: "My \"s".to_owned(), name: "T".to_owned(), tries: 0, suspicion: None };

        let sql = statement(&table, &["a".to_owned(), "B\"c".to_owned()]);

        assert!(sql.contains("ROW(t.\"a\", t.\"B\"\"c\")::text"), "{sql}");
        assert!(sql.ends_with("FROM ONLY \"My \"\"s\".\"T\" t"), "{sql}");
        assert!(statement(&table, &[]).contains("ROW()::text"));
    }
}
