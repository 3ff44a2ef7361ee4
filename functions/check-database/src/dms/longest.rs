//! The longest values that DMS transfers separately from their row, found within a time limit: what a reload in limited LOB mode would have to hold.
//!
//! The length of a text or of bytes stands in the pointer to where it is kept, so it costs a read of the table and not of the
//! values; of other types only the stored length does. Of a large table a sample is read. The exact maximum is measured by
//! whoever repairs a table, for that table.

use std::time::{Duration, Instant};

use pgleap_contract::Finding;
use pgleap_contract::steps::{LongValue, SourceLoad};
use pgleap_pg::{PgError, PgErrorKind, Session};

use crate::query::Asked;

pub(crate) const ID: &str = "lob-very-long";

/// Time for all tables together.
const BUDGET: Duration = Duration::from_secs(30);
/// Tables whose large values take less than this together hold none that matters.
const WORTH_A_LOOK: i64 = 1 << 20;
/// How many tables are looked at, those with the most kept apart first.
const TABLES: i64 = 100;
/// Pages of 8 KB that are read of one table.
const PAGES: i64 = 50_000;
/// AWS advises 102,400 KB as the largest limit of Limited LOB mode, and a limit of three times the largest value's size.
/// Source: AWS DMS user guide, "LOB support", LobMaxSize; "Table and collection settings rules", bulk-max-size.
const LONGEST_LIMITED: u64 = 102_400 * 1024 / 3;

const COLUMNS: &str = "\
    SELECT t.name, t.pages, quote_ident(a.attname), b.typname IN ('text', 'citext', 'bytea') AND NOT b.is_array \
    FROM (SELECT c.oid, c.name, pg_relation_size(c.oid) / 8192 AS pages, pg_relation_size(p.reltoastrelid) AS apart \
          FROM carried c JOIN pg_class p ON p.oid = c.oid \
          WHERE p.reltoastrelid <> 0 AND has_table_privilege(c.oid, 'SELECT') AND has_schema_privilege(c.space, 'USAGE') \
            AND pg_relation_size(p.reltoastrelid) > $2 \
          ORDER BY apart DESC LIMIT $3) t \
    JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' \
    JOIN base_types b ON b.typ = a.atttypid AND (b.is_array OR b.known AND b.typname = ANY ({apart})) \
    ORDER BY t.apart DESC, t.oid, a.attnum";

/// A column to measure.
#[derive(Debug)]
struct Column {
    table: String,
    name: String,
    pages: i64,
    /// Its length is known without reading it.
    by_pointer: bool,
}

/// The longest values, longest first; tables for which there was no time are left out.
pub(crate) async fn measure(session: &Session, asked: &Asked) -> Result<Vec<LongValue>, PgError> {
    let deadline = Instant::now() + BUDGET;
    let sql = asked.fill(&format!("WITH {} {COLUMNS}", include_str!("../carried.sql")));
    let rows = session.rows("list large values", &sql, &[&asked.skipped, &WORTH_A_LOOK, &TABLES]).await?;
    let columns = rows.iter().map(|row| Column {
        table: row.get(0),
        pages: row.get(1),
        name: row.get(2),
        by_pointer: row.get(3),
    });
    let mut found = Vec::new();
    for column in columns {
        let left = deadline.saturating_duration_since(Instant::now()).as_millis();
        if left == 0 {
            break;
        }
        session.run("bound the look at large values", &format!("SET statement_timeout = {left}")).await?;
        let answer = session.row(&format!("measure {}.{}", column.table, column.name), &scan(&column), &[]).await;
        session.run("bound the look at large values", "SET statement_timeout = 0").await?;
        match answer {
            Ok(row) => {
                let bytes = row.get::<_, Option<i32>>(0).unwrap_or(0).unsigned_abs().into();
                let estimate = column.pages > PAGES || !column.by_pointer;
                found.push(LongValue { column: format!("{}.{}", column.table, column.name), bytes, estimate });
            }
            Err(error) if error.kind == PgErrorKind::Busy => break,
            Err(error) => return Err(error),
        }
    }
    found.sort_by_key(|value| std::cmp::Reverse(value.bytes));
    found.truncate(SourceLoad::LISTED);
    Ok(found)
}

fn scan(column: &Column) -> String {
    let Column { table, name, pages, by_pointer } = column;
    let length = if *by_pointer { format!("octet_length({name})") } else { format!("pg_column_size({name})") };
    let sample = if *pages > PAGES {
        format!(" TABLESAMPLE SYSTEM ({:.4})", 100.0 * PAGES as f64 / *pages as f64)
    } else {
        String::new()
    };
    format!("SELECT max({length}) FROM {table}{sample}")
}

/// A value that Limited LOB mode cannot hold.
pub(crate) fn judge(longest: &[LongValue]) -> Vec<Finding> {
    let too_long = longest.iter().filter(|value| value.bytes > LONGEST_LIMITED);
    too_long
        .map(|value| {
            let about = if value.estimate { "about " } else { "" };
            let found = format!(
                "column {} contains a value of {about}{} MB: if DMS has to load its table again, the value does not fit into limited LOB mode",
                value.column,
                value.bytes / 1_000_000
            );
            Finding::warning(ID, found, "store such values elsewhere, or rehearse with a copy of this table")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_table_is_sampled_and_a_length_is_read_where_it_stands() {
        let column = |pages, by_pointer| Column { table: "s.t".to_owned(), name: "c".to_owned(), pages, by_pointer };

        assert_eq!(scan(&column(10, true)), "SELECT max(octet_length(c)) FROM s.t");
        assert_eq!(
            scan(&column(500_000, false)),
            "SELECT max(pg_column_size(c)) FROM s.t TABLESAMPLE SYSTEM (10.0000)"
        );
    }

    #[test]
    fn a_value_that_limited_mode_cannot_hold_is_found() {
        let value = |bytes| LongValue { column: "s.t.c".to_owned(), bytes, estimate: true };

        assert_eq!(judge(&[value(LONGEST_LIMITED)]), []);
        assert_eq!(judge(&[value(LONGEST_LIMITED + 1), value(5)]).len(), 1);
    }
}
