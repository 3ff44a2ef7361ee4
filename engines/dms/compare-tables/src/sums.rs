//! Rows of a table, lengths of their values and changes to them, on one side.

use std::fmt;
use std::time::{Duration, Instant};

use pgleap_contract::steps::TableName;
use pgleap_pg::{PgError, PgErrorKind, Session, ident, qualified};
use tokio_postgres::error::SqlState;

/// What a side says of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sums {
    pub(crate) rows: i64,
    /// Of all values, as text.
    pub(crate) bytes: i64,
    /// Rows inserted, updated or deleted since the server began to count.
    pub(crate) changes: i64,
}

impl fmt::Display for Sums {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} rows with {} bytes", self.rows, self.bytes)
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Agrees,
    /// It did not stand still, and differs by more than that explains; or the target is behind.
    Moves,
}

/// Between `before` and `there` everything that the source had committed arrived on the target.
pub(crate) fn decide(before: &Sums, there: &Sums, after: &Sums) -> Verdict {
    let is_equal = |side: &Sums| (side.rows, side.bytes) == (there.rows, there.bytes);
    if is_equal(before) || is_equal(after) {
        return Verdict::Agrees;
    }
    let meanwhile = after.changes - before.changes;
    let within = |side: &Sums| (side.rows - there.rows).abs() <= meanwhile;
    if (before.rows, before.bytes) != (after.rows, after.bytes) && meanwhile > 0 && within(before) && within(after) {
        return Verdict::Agrees;
    }
    Verdict::Moves
}

/// Sum the table up; none if that takes too long or a lock is in the way.
pub(crate) async fn sums(session: &Session, table: &TableName, until: Instant) -> Result<Option<Sums>, PgError> {
    let time = until.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
    let limits =
        format!("SET statement_timeout = {}; SET lock_timeout = '5s'; SET row_security = off", time.as_millis());
    session.run("limit the statement", &limits).await?;
    let columns = columns(session, table).await?;
    let doing = format!("sum up table {table}");
    match session.row(&doing, &statement(table, &columns), &[&qualified(&table.schema, &table.table)]).await {
        Ok(row) => Ok(Some(Sums { rows: row.get(0), bytes: row.get(1), changes: row.get(2) })),
        Err(error) if error.state == Some(SqlState::QUERY_CANCELED) || error.kind == PgErrorKind::Busy => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whose text is long; every major writes it in the same form.
async fn columns(session: &Session, table: &TableName) -> Result<Vec<String>, PgError> {
    let sql = "SELECT attname::text FROM pg_catalog.pg_attribute
               WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '' AND attlen = -1
               ORDER BY attname";
    let rows = session.rows("read columns", sql, &[&qualified(&table.schema, &table.table)]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// ONLY, because a table with children is carried on its own.
fn statement(table: &TableName, columns: &[String]) -> String {
    let lengths: Vec<String> =
        columns.iter().map(|column| format!(" + coalesce(octet_length(t.{}::text), 0)", ident(column))).collect();
    format!(
        "SELECT count(*), coalesce(sum(0::bigint{}), 0)::bigint,
                coalesce((SELECT pg_stat_get_tuples_inserted(oid) + pg_stat_get_tuples_updated(oid) + pg_stat_get_tuples_deleted(oid)
                          FROM pg_catalog.pg_class WHERE oid = $1::text::regclass), 0)
         FROM ONLY {} t",
        lengths.concat(),
        qualified(&table.schema, &table.table)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_at_rest_agrees_exactly_and_one_that_moves_within_its_changes() {
        let of = |rows, bytes, changes| Sums { rows, bytes, changes };
        let cases = [
            ("at rest, equal", of(5, 50, 9), of(5, 50, 0), of(5, 50, 9), Verdict::Agrees),
            ("at rest, a row is missing", of(5, 50, 9), of(4, 40, 0), of(5, 50, 9), Verdict::Moves),
            ("at rest, a value is cut", of(5, 50, 9), of(5, 49, 0), of(5, 50, 9), Verdict::Moves),
            ("equal to what it became", of(5, 50, 9), of(6, 60, 0), of(6, 60, 10), Verdict::Agrees),
            ("moving, within its changes", of(5, 50, 9), of(6, 61, 0), of(7, 70, 12), Verdict::Agrees),
            ("moving, beyond its changes", of(5, 50, 9), of(1, 10, 0), of(7, 70, 12), Verdict::Moves),
            (
                "a value is cut, an old change is counted late",
                of(5, 50, 9),
                of(5, 49, 0),
                of(5, 50, 11),
                Verdict::Moves,
            ),
        ];
        for (case, before, there, after, expected) in cases {
            assert_eq!(decide(&before, &there, &after), expected, "{case}");
        }
    }

    #[test]
    fn names_are_quoted() {
        let table = TableName { schema: "My \"s".to_owned(), table: "T".to_owned() };

        let sql = statement(&table, &["B\"c".to_owned()]);

        assert!(sql.contains("octet_length(t.\"B\"\"c\"::text)"), "{sql}");
        assert!(sql.ends_with("FROM ONLY \"My \"\"s\".\"T\" t"), "{sql}");
    }
}
