//! Stored generated columns with values that their expression no longer yields, because a function that it calls was replaced. The copy
//! computes them again, and would go live with other values.
//!
//! Only expressions with functions of users or extensions are computed; the server's own give the same again. As the
//! table's owner, whose triggers and defaults run these functions anyway, and read-only. What cannot be read within the
//! budget, or fails, is left to the comparison of both sides, which finds it before the cutover.

use std::time::{Duration, Instant};

use pgleap_contract::Finding;
use pgleap_pg::{PgError, PgErrorKind, Session, ident};

use crate::query::{Asked, NAMED};

pub(crate) const ID: &str = "generated-value-differs";

/// Time for all tables together.
const BUDGET: Duration = Duration::from_secs(20);

/// Columns to compute, smallest tables first. A dependency on one of the server's own functions is not recorded.
/// Older majors record one of the expression as the column's, newer ones as its default's.
const COLUMNS: &str = "\
    SELECT c.name, quote_ident(a.attname), format_type(a.atttypid, a.atttypmod), pg_get_expr(d.adbin, d.adrelid), \
           pg_get_userbyid(c.relowner)::text, \
           coalesce((SELECT string_agg(format('%I', k.attname), ', ' ORDER BY array_position(i.indkey::int2[], k.attnum)) \
                     FROM pg_index i JOIN pg_attribute k ON k.attrelid = i.indrelid AND k.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1]) \
                     WHERE i.indrelid = c.oid AND i.indisprimary), '') \
    FROM carried c JOIN pg_class p ON p.oid = c.oid \
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = 's' \
    JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum \
    WHERE pg_has_role(c.relowner, 'MEMBER') \
      AND EXISTS (SELECT FROM pg_depend x \
                  WHERE (x.classid = 'pg_attrdef'::regclass AND x.objid = d.oid \
                         OR x.classid = 'pg_class'::regclass AND x.objid = c.oid AND x.objsubid = a.attnum) \
                    AND x.refclassid = 'pg_proc'::regclass) \
    ORDER BY greatest(p.relpages, 0), c.oid, a.attnum";

/// A column to compute. Table, name, type, expression and key are quoted as a statement wants them.
struct Column {
    table: String,
    name: String,
    data_type: String,
    expression: String,
    owner: String,
    /// Empty without one.
    key: String,
}

pub(crate) async fn check(session: &Session, asked: &Asked) -> Result<Vec<Finding>, PgError> {
    let deadline = Instant::now() + BUDGET;
    let sql = format!("WITH {} {COLUMNS}", include_str!("carried.sql"));
    let rows = session.rows("list generated columns", &sql, &[&asked.skipped]).await?;
    let column = |row: &tokio_postgres::Row| Column {
        table: row.get(0),
        name: row.get(1),
        data_type: row.get(2),
        expression: row.get(3),
        owner: row.get(4),
        key: row.get(5),
    };
    let mut findings = Vec::new();
    for column in rows.iter().map(column) {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() || findings.len() >= NAMED {
            tracing::info!(
                table = column.table,
                "generated columns from here on are left to the comparison of both sides"
            );
            break;
        }
        match differing(session, &column, left).await {
            Ok(None) => (),
            Ok(Some((rows, first))) => findings.push(finding(&column, rows, &first)),
            Err(error) if error.kind == PgErrorKind::Unreachable => return Err(error),
            Err(error) => tracing::info!(table = column.table, %error, "a generated column could not be computed"),
        }
    }
    Ok(findings)
}

/// How many rows differ, and the key of one of them.
async fn differing(session: &Session, column: &Column, time: Duration) -> Result<Option<(i64, String)>, PgError> {
    let doing = format!("compute column {}.{}", column.table, column.name);
    let begin = format!(
        "BEGIN READ ONLY; SET LOCAL ROLE {}; SET LOCAL statement_timeout = {}",
        ident(&column.owner),
        time.as_millis().max(1)
    );
    let answer = match session.run(&doing, &begin).await {
        Ok(()) => session.row(&doing, &statement(column), &[]).await,
        Err(error) => Err(error),
    };
    session.run(&doing, "ROLLBACK").await?;
    let row = answer?;
    Ok(row.get::<_, Option<String>>(1).map(|first| (row.get(0), first)))
}

/// Compared as texts, because not every type has an operator for it.
fn statement(column: &Column) -> String {
    let Column { table, name, data_type, expression, key, .. } = column;
    format!(
        "SELECT count(*), min(left(ROW({key})::text, 100)) FROM ONLY {table} \
         WHERE ROW({name})::text COLLATE \"C\" IS DISTINCT FROM ROW(({expression})::{data_type})::text"
    )
}

fn finding(column: &Column, rows: i64, first: &str) -> Finding {
    let which = if column.key.is_empty() { String::new() } else { format!(", among them ({}) = {first},", column.key) };
    let found = format!(
        "column {}.{}: {rows} row(s){which} contain a value that the column's expression no longer yields; the target would compute another one",
        column.table, column.name
    );
    let remedy = format!(
        "rewrite these rows, so that the source computes the value again: UPDATE {} with any column set to itself",
        column.table
    );
    Finding::blocker(ID, found, remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_named_where_the_table_has_a_key() {
        let column = |key: &str| Column {
            table: "app.s1".to_owned(),
            name: "f".to_owned(),
            data_type: "numeric(14,2)".to_owned(),
            expression: "app.fee(n)".to_owned(),
            owner: "app".to_owned(),
            key: key.to_owned(),
        };

        assert!(statement(&column("id")).ends_with(
            "FROM ONLY app.s1 WHERE ROW(f)::text COLLATE \"C\" IS DISTINCT FROM ROW((app.fee(n))::numeric(14,2))::text"
        ));
        let found = finding(&column("id, \"No\""), 3, "(1,2)").found;
        assert!(found.starts_with("column app.s1.f: 3 row(s), among them (id, \"No\") = (1,2), contain"), "{found}");
        assert!(finding(&column(""), 3, "()").found.starts_with("column app.s1.f: 3 row(s) contain"));
    }
}
