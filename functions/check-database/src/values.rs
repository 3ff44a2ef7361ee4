//! Types that travel only if the values do: the values are read, table by table, smallest first, within a time.
//!
//! A full scan of a large table takes longer than a preflight may. What was not read in time is said, not guessed.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use pgleap_contract::Finding;
use pgleap_contract::data_types::{self, BaseType, ValueTest};
use pgleap_pg::{PgError, PgErrorKind, Session};

use crate::query::{Asked, NAMED};

pub(crate) const ID: &str = "value-not-carried";
const UNREAD: &str = "values-not-read";

/// Time for all tables together.
const BUDGET: Duration = Duration::from_secs(100);

/// Rows of one batch, a hundred bytes each.
const BATCH: usize = 10_000;

/// Columns to read, with what their types are; tables in order of size. A batch at a time: `$2` is where the last ended.
const COLUMNS: &str = "\
    SELECT c.oid, c.name, quote_ident(a.attname), b.typname, b.typtype::text, b.known, \
           (CASE WHEN a.atttypmod <> -1 THEN a.atttypmod ELSE b.modifier END) <> -1 AS bounded, greatest(p.relpages, 0)::bigint AS pages \
    FROM carried c JOIN pg_class p ON p.oid = c.oid \
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' \
    JOIN base_types b ON b.typ = a.atttypid AND NOT b.is_array \
    WHERE (b.typname IN ('numeric', 'date', 'timestamp', 'timestamptz') \
        OR b.typname IN ('varchar', 'bpchar') AND a.atttypmod = -1 AND b.modifier = -1) \
      AND (greatest(p.relpages, 0)::bigint, c.oid) > ($2, $3) \
    ORDER BY greatest(p.relpages, 0)::bigint, c.oid, a.attnum LIMIT 10000";

/// A table with the columns whose values must be read.
#[derive(Debug, Default)]
struct Table {
    /// Both quoted.
    name: String,
    columns: Vec<(String, ValueTest)>,
}

pub(crate) async fn check(session: &Session, asked: &Asked) -> Result<Vec<Finding>, PgError> {
    let deadline = Instant::now() + BUDGET;
    // One core of the source at most: others work there.
    session.run("read values alone", "SET max_parallel_workers_per_gather = 0").await?;
    let mut seen = Seen::default();
    let mut from = (-1_i64, 0_u32);
    loop {
        let (tables, next) = batch(session, asked, from).await?;
        for table in tables.values().filter(|table| !table.columns.is_empty()) {
            match offending(session, table, deadline).await {
                Ok(Some(columns)) => {
                    columns.into_iter().for_each(|(column, test)| seen.offender(&table.name, column, test))
                }
                Ok(None) => seen.unread(&table.name),
                Err(error) if error.kind == PgErrorKind::Busy => seen.unread(&table.name),
                Err(error) => return Err(error),
            }
        }
        match next {
            Some(next) => from = next,
            None => return Ok(seen.findings()),
        }
    }
}

/// What was seen so far: the first offenders by name, the rest as a count.
#[derive(Default)]
struct Seen {
    findings: Vec<Finding>,
    more: usize,
    unread: Vec<String>,
    unread_more: usize,
}

impl Seen {
    fn offender(&mut self, table: &str, column: &str, test: ValueTest) {
        if self.findings.len() < NAMED {
            self.findings.push(finding(table, column, test));
        } else {
            self.more += 1;
        }
    }

    fn unread(&mut self, table: &str) {
        if self.unread.len() < 5 {
            self.unread.push(table.to_owned());
        } else {
            self.unread_more += 1;
        }
    }

    fn findings(mut self) -> Vec<Finding> {
        if self.more > 0 {
            self.findings.push(Finding::blocker(ID, format!("and {} more columns with such values", self.more), ""));
        }
        if !self.unread.is_empty() {
            let all = self.unread.len() + self.unread_more;
            let found =
                format!("values of {all} table(s) could not be read in time, among them {}", self.unread.join(", "));
            let remedy = "make sure that they hold no infinite dates, no numeric of more than 28 digits, no NaN, no varchar over 8,000 characters";
            self.findings.push(Finding::warning(UNREAD, found, remedy));
        }
        self.findings
    }
}

/// The next tables, and where to go on. A batch may end within a table: that table is left to the next one.
async fn batch(
    session: &Session,
    asked: &Asked,
    from: (i64, u32),
) -> Result<(BTreeMap<(i64, u32), Table>, Option<(i64, u32)>), PgError> {
    let sql = format!("WITH {} {COLUMNS}", include_str!("carried.sql"));
    let rows = session.rows("list columns to read", &sql, &[&asked.skipped, &from.0, &from.1]).await?;
    let mut tables: BTreeMap<(i64, u32), Table> = BTreeMap::new();
    for row in &rows {
        let kind: String = row.get(4);
        let base = BaseType {
            name: row.get(3),
            kind: kind.chars().next().unwrap_or('?'),
            known: row.get(5),
            bounded: row.get(6),
            array: false,
        };
        let table = tables.entry((row.get(7), row.get(0))).or_default();
        table.name = row.get(1);
        if let Some(test) = data_types::of(base).test {
            table.columns.push((row.get(2), test));
        }
    }
    let full = rows.len() == BATCH;
    if full && tables.len() > 1 {
        tables.pop_last();
    }
    let next = tables.keys().next_back().copied().filter(|_| full);
    Ok((tables, next))
}

/// Columns of one table that hold a value which does not travel, by one scan; `None` if the time is over.
async fn offending<'a>(
    session: &Session,
    table: &'a Table,
    deadline: Instant,
) -> Result<Option<Vec<(&'a str, ValueTest)>>, PgError> {
    let left = deadline.saturating_duration_since(Instant::now()).as_millis();
    if left == 0 {
        return Ok(None);
    }
    let doing = format!("read values of {}", table.name);
    session.run(&doing, &format!("SET statement_timeout = {left}")).await?;
    let tests: Vec<_> = table
        .columns
        .iter()
        .map(|(column, test)| format!("coalesce(bool_or({}), false)", condition(column, *test)))
        .collect();
    let answer = session.row(&doing, &format!("SELECT {} FROM {}", tests.join(", "), table.name), &[]).await;
    session.run(&doing, "SET statement_timeout = 0").await?;
    let row = answer?;
    let columns = table.columns.iter().enumerate();
    Ok(Some(columns.filter(|(place, _)| row.get(*place)).map(|(_, (column, test))| (column.as_str(), *test)).collect()))
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
    }
}

fn finding(table: &str, column: &str, test: ValueTest) -> Finding {
    let holds = match test {
        ValueTest::Finite => "an infinite date, which DMS clamps",
        ValueTest::Number => "NaN or an infinity, which DMS does not carry",
        ValueTest::Digits28 => "a number that DMS does not carry (more than 28 digits, NaN or an infinity)",
        ValueTest::Characters8000 => "a text of more than 8,000 characters, where DMS cuts",
    };
    let found = format!("column {table}.{column} holds {holds}");
    Finding::blocker(ID, found, "change those values, or accept that the schema goes live as of the snapshot")
}
