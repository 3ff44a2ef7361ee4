//! Types of which DMS carries only some values: the values are read, table by table, smallest first, within a time limit.
//!
//! A full scan of a large table takes longer than a preflight may. A finding names what was not read in time.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use pgleap_contract::Finding;
use pgleap_contract::data_types::{self, BaseType, ValueTest};
use pgleap_pg::{PgError, PgErrorKind, Session};

use crate::query::Asked;

pub(crate) const ID: &str = "value-not-carried";
const UNREAD: &str = "values-not-read";

/// How many columns or tables a finding's text names; its list has them all.
const NAMED: usize = 5;
/// Time for all tables together.
const BUDGET: Duration = Duration::from_secs(100);

/// Columns to read, with what their types are; smallest tables first.
const COLUMNS: &str = "\
    SELECT c.name, greatest(p.relpages, 0)::bigint, quote_ident(a.attname), b.typname, b.typtype::text, b.known, \
           (CASE WHEN a.atttypmod <> -1 THEN a.atttypmod ELSE b.modifier END) <> -1 \
    FROM carried c JOIN pg_class p ON p.oid = c.oid \
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' \
    JOIN base_types b ON b.typ = a.atttypid AND NOT b.is_array \
    WHERE (b.typname IN ('numeric', 'date', 'time', 'timestamp', 'timestamptz') \
       OR b.typname IN ('varchar', 'bpchar') AND a.atttypmod = -1 AND b.modifier = -1) \
      AND has_table_privilege(c.oid, 'SELECT') AND has_schema_privilege(c.space, 'USAGE') \
    ORDER BY greatest(p.relpages, 0), c.oid, a.attnum";

/// Small tables are read together, as many as make up a statement of moderate length and time.
const TABLES_TOGETHER: usize = 50;
/// In pages of 8 KB.
const PAGES_TOGETHER: i64 = 2_000;

/// A table with the columns whose values must be read.
#[derive(Debug, Default)]
struct Table {
    /// Both quoted.
    name: String,
    pages: i64,
    columns: Vec<(String, ValueTest)>,
}

pub(crate) async fn check(session: &Session, asked: &Asked) -> Result<Vec<Finding>, PgError> {
    let deadline = Instant::now() + BUDGET;
    // One core of the source at most: others work there.
    session.run("read values alone", "SET max_parallel_workers_per_gather = 0").await?;
    let tables = tables(session, asked).await?;
    let mut seen = Seen::default();
    let mut rest = tables.as_slice();
    while !rest.is_empty() {
        let (together, later) = rest.split_at(how_many(rest));
        match offending(session, together, deadline).await {
            Ok(Some(columns)) => {
                columns.into_iter().for_each(|(table, column, test)| seen.offender(table, column, test))
            }
            Ok(None) => together.iter().for_each(|table| seen.unread(&table.name)),
            Err(error) if error.kind == PgErrorKind::Busy => together.iter().for_each(|table| seen.unread(&table.name)),
            Err(error) => return Err(error),
        }
        rest = later;
    }
    Ok(seen.findings())
}

/// At least one.
fn how_many(tables: &[Table]) -> usize {
    let mut pages = 0;
    let fits = |table: &&Table| {
        pages += table.pages;
        pages <= PAGES_TOGETHER
    };
    tables.iter().take(TABLES_TOGETHER).take_while(fits).count().max(1)
}

/// What was seen so far.
#[derive(Default)]
struct Seen {
    offenders: BTreeMap<&'static str, Vec<String>>,
    unread: Vec<String>,
}

impl Seen {
    fn offender(&mut self, table: &str, column: &str, test: ValueTest) {
        self.offenders.entry(test.offence()).or_default().push(format!("{table}.{column}"));
    }

    fn unread(&mut self, table: &str) {
        self.unread.push(table.to_owned());
    }

    /// One for each way in which values do not travel.
    fn findings(self) -> Vec<Finding> {
        let remedy = "use copy.engine native (or auto), which carries every value; or change these values, or accept that the schema goes live as it was at the snapshot (choices.asOfSnapshotSchemas)";
        let offending = self.offenders.into_iter().map(|(offence, columns)| {
            let which = match columns.as_slice() {
                [one] => format!("column {one} contains"),
                few if few.len() <= NAMED => format!("columns {} contain", few.join(", ")),
                many => format!("{} columns, among them {}, contain", many.len(), many[..NAMED].join(", ")),
            };
            Finding::blocker(ID, format!("{which} {offence}"), remedy).about(columns, 0)
        });
        let mut findings: Vec<_> = offending.collect();
        if !self.unread.is_empty() {
            let (all, some) = (self.unread.len(), self.unread[..self.unread.len().min(NAMED)].join(", "));
            let found = format!("preflight could not read the values of {all} table(s) in time, among them {some}");
            let remedy = "make sure that they contain no infinite dates, no numeric values with more than 28 digits, no NaN, no varchar values of more than 8,000 characters, and no times of day with fractions of a second";
            findings.push(Finding::warning(UNREAD, found, remedy).about(self.unread, 0));
        }
        findings
    }
}

async fn tables(session: &Session, asked: &Asked) -> Result<Vec<Table>, PgError> {
    let sql = format!("WITH {} {COLUMNS}", include_str!("../carried.sql"));
    let mut tables: Vec<Table> = Vec::new();
    for row in session.rows("list columns to read", &sql, &[&asked.skipped]).await? {
        let kind: &str = row.get(4);
        let base = BaseType {
            name: row.get(3),
            kind: kind.chars().next().unwrap_or('?'),
            known: row.get(5),
            bounded: row.get(6),
            array: false,
        };
        let Some(test) = data_types::of(base).test else { continue };
        let (name, column): (&str, String) = (row.get(0), row.get(2));
        match tables.last_mut().filter(|table| table.name == name) {
            Some(table) => table.columns.push((column, test)),
            None => tables.push(Table { name: name.to_owned(), pages: row.get(1), columns: vec![(column, test)] }),
        }
    }
    Ok(tables)
}

/// A column that holds a value which does not travel: table, column, what it must be like.
type Offender<'a> = (&'a str, &'a str, ValueTest);

/// Those of a few tables, by one scan of each; `None` if the time is over.
async fn offending<'a>(
    session: &Session,
    tables: &'a [Table],
    deadline: Instant,
) -> Result<Option<Vec<Offender<'a>>>, PgError> {
    let left = deadline.saturating_duration_since(Instant::now()).as_millis();
    if left == 0 {
        return Ok(None);
    }
    let doing = format!("read values of {}", tables.first().map_or("", |table| table.name.as_str()));
    session.run(&doing, &format!("SET statement_timeout = {left}")).await?;
    let scans: Vec<_> = tables.iter().enumerate().map(|(place, table)| scan(place, table)).collect();
    let answer = session.rows(&doing, &scans.join(" UNION ALL "), &[]).await;
    session.run(&doing, "SET statement_timeout = 0").await?;
    let mut found = Vec::new();
    for row in answer? {
        let place = usize::try_from(row.get::<_, i32>(0)).unwrap_or(usize::MAX);
        let holds: Vec<bool> = row.get(1);
        let Some(table) = tables.get(place) else { continue };
        let columns = table.columns.iter().zip(holds).filter(|(_, holds)| *holds);
        found.extend(columns.map(|((column, test), _)| (table.name.as_str(), column.as_str(), *test)));
    }
    Ok(Some(found))
}

fn scan(place: usize, table: &Table) -> String {
    let tests =
        table.columns.iter().map(|(column, test)| format!("coalesce(bool_or({}), false)", condition(column, *test)));
    format!("SELECT {place}, ARRAY[{}] FROM {}", tests.collect::<Vec<_>>().join(", "), table.name)
}

/// True for a value that does not travel.
fn condition(column: &str, test: ValueTest) -> String {
    match test {
        ValueTest::Finite => format!("NOT isfinite({column})"),
        // Infinity as a numeric exists from 14 on; compared as text it needs no such literal.
        ValueTest::Number => format!("{column}::text IN ('NaN', 'Infinity', '-Infinity')"),
        ValueTest::Digits28 => {
            format!(
                "{column}::text IN ('NaN', 'Infinity', '-Infinity') OR length(ltrim(translate({column}::text, '-.', ''), '0')) > 28"
            )
        }
        ValueTest::Characters8000 => format!("length({column}) > 8000"),
        ValueTest::WholeSeconds => format!("date_trunc('second', {column}::interval) <> {column}::interval"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(pages: i64) -> Table {
        Table { name: "t".to_owned(), pages, columns: Vec::new() }
    }

    #[test]
    fn small_tables_are_read_together_and_large_ones_alone() {
        let cases =
            [(vec![0; 200], TABLES_TOGETHER), (vec![1_000, 1_000, 1], 2), (vec![5_000, 1], 1), (vec![1_999, 2], 1)];
        for (pages, together) in cases {
            let tables: Vec<_> = pages.iter().map(|pages| table(*pages)).collect();

            assert_eq!(how_many(&tables), together, "{pages:?}");
        }
    }
}
