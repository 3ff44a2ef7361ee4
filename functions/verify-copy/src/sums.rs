//! What a server works out of a table: sums that do not depend on the order of rows, hashes of single rows. Nothing else
//! of a row leaves it but its key, and of keys no more than [`MOST_ROWS`] at a time.

use std::time::{Duration, Instant};

use pgleap_contract::Run;
use pgleap_pg::{PgError, PgErrorKind, Session};
use tokio_postgres::Row;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;

use crate::layout::{Key, Layout, Range};

/// How many keys of a side are held in memory at once.
pub(crate) const MOST_ROWS: usize = 10_000;

/// Both servers.
pub(crate) struct Sides<'a> {
    pub(crate) run: &'a Run,
    pub(crate) source: &'a Session,
    pub(crate) target: &'a Session,
    /// When the statements of this call must be over.
    pub(crate) until: Instant,
}

/// The answer of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer<T> {
    Got(T),
    /// A lock is in the way: try again later.
    Busy,
    /// It takes longer than there is time.
    TooSlow,
}

impl<T> Answer<T> {
    /// Both, or why not.
    pub(crate) fn with<U>(self, other: Answer<U>) -> Answer<(T, U)> {
        match (self, other) {
            (Answer::Got(one), Answer::Got(other)) => Answer::Got((one, other)),
            (Answer::TooSlow, _) | (_, Answer::TooSlow) => Answer::TooSlow,
            (Answer::Busy, _) | (_, Answer::Busy) => Answer::Busy,
        }
    }
}

/// A number of rows and the sum of their hashes. Equal for equal multisets of rows; for different ones with a chance of
/// about one in 2^64.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sum {
    pub(crate) rows: i64,
    pub(crate) hash: String,
}

/// A row as its key was found: what it holds, and which version of it that is (`xmin`: no update leaves it as it was).
/// Rows without a key are counted by their hash: how many there are, and the sum of their versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) value: i64,
    pub(crate) version: i64,
}

/// A row in one of the buckets that were asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) key: Key,
    pub(crate) bucket_hash: i64,
    pub(crate) state: State,
}

/// Settings on which the text of a value depends and that the connection does not pin already. Row security raises an
/// error here where it would otherwise hide rows. Sums by bucket are made in memory, which holds them all, and not by
/// sorting rows, which would write a copy of them to the server's disk.
pub(crate) async fn prepare(session: &Session) -> Result<(), PgError> {
    let settings = "SET lc_monetary = 'C'; SET row_security = off; SET lock_timeout = '5s'; SET enable_sort = off; SET work_mem = '32MB'";
    session.run("pin settings", settings).await
}

/// The whole table. ONLY, here and below, because a table with children is carried on its own.
pub(crate) async fn whole(session: &Session, layout: &Layout, until: Instant) -> Result<Answer<Sum>, PgError> {
    let sql = format!("SELECT count(*), coalesce(sum({}), 0)::text FROM ONLY {} t", layout.row_hash(), layout.table);
    let read = |rows: Vec<Row>| rows.first().map_or(Sum { rows: 0, hash: String::new() }, |row| sum(row, 0));
    ask(session, until, "sum up", layout, &sql, &[], read).await
}

/// Sums of the range's rows by bucket, a power of two of them; an empty bucket is left out.
pub(crate) async fn by_bucket(
    session: &Session,
    layout: &Layout,
    range: &Range,
    buckets: i64,
    until: Instant,
) -> Result<Answer<Vec<(i64, Sum)>>, PgError> {
    let (condition, _) = layout.within(range);
    let (bucket, of_key) = if layout.has_key() {
        ("r.bucket", format!("{} AS bucket, ", layout.bucket_hash()))
    } else {
        ("r.hash", String::new())
    };
    // OFFSET 0: hashes are grouped, not the rows that they are made of.
    let sql = format!(
        "SELECT {bucket} & {}, count(*), sum(r.hash)::text
         FROM (SELECT {of_key}{} AS hash FROM ONLY {} t WHERE {condition} OFFSET 0) r GROUP BY 1",
        buckets - 1,
        layout.row_hash(),
        layout.table
    );
    let read = |rows: Vec<Row>| rows.iter().map(|row| (row.get(0), sum(row, 1))).collect();
    ask(session, until, "sum up", layout, &sql, &parameters(range), read).await
}

/// The range's rows in these buckets, in the order of their hashes, at most [`MOST_ROWS`].
pub(crate) async fn in_buckets(
    session: &Session,
    layout: &Layout,
    range: &Range,
    (buckets, wanted): (i64, &Vec<i64>),
    until: Instant,
) -> Result<Answer<Vec<Found>>, PgError> {
    let (condition, used) = layout.within(range);
    let (table, bucket, hash) = (&layout.table, layout.bucket_hash(), layout.row_hash());
    let mask = buckets - 1;
    let wanted_place = used + 1;
    let sql = if layout.has_key() {
        format!(
            "SELECT r.key, r.bucket, r.hash, r.version
             FROM (SELECT {} AS key, {bucket} AS bucket, {hash} AS hash, t.xmin::text::bigint AS version
                   FROM ONLY {table} t WHERE {condition} OFFSET 0) r
             WHERE r.bucket & {mask} = ANY (${wanted_place}::bigint[]) ORDER BY r.bucket LIMIT {MOST_ROWS}",
            layout.key_text()
        )
    } else {
        format!(
            "SELECT ARRAY[r.hash::text], r.hash, count(*), sum(r.version)::bigint
             FROM (SELECT {hash} AS hash, t.xmin::text::bigint AS version FROM ONLY {table} t WHERE {condition} OFFSET 0) r
             WHERE r.hash & {mask} = ANY (${wanted_place}::bigint[]) GROUP BY r.hash ORDER BY r.hash LIMIT {MOST_ROWS}"
        )
    };
    let mut values = parameters(range);
    values.push(wanted);
    let read = |rows: Vec<Row>| {
        let found = |row: &Row| Found { key: row.get(0), bucket_hash: row.get(1), state: state(row, 2) };
        rows.iter().map(found).collect()
    };
    ask(session, until, "read keys", layout, &sql, &values, read).await
}

/// What is there under these keys now, in their order.
pub(crate) async fn states(
    session: &Session,
    layout: &Layout,
    keys: &[Key],
    until: Instant,
) -> Result<Answer<Vec<Option<State>>>, PgError> {
    if !layout.has_key() {
        return counts(session, layout, keys, until).await;
    }
    let what = format!("{}, t.xmin::text::bigint", layout.row_hash());
    let read = |rows: Vec<Row>| in_order(keys.len(), rows.iter().map(|row| (row.get(0), state(row, 1))));
    by_key(session, layout, keys, &what, until, read).await
}

/// The hash of each column of the rows under these keys, in their order. Only of a table with a key.
pub(crate) async fn columns(
    session: &Session,
    layout: &Layout,
    keys: &[Key],
    until: Instant,
) -> Result<Answer<Vec<Option<Vec<i64>>>>, PgError> {
    let read = |rows: Vec<Row>| in_order(keys.len(), rows.iter().map(|row| (row.get(0), row.get(1))));
    by_key(session, layout, keys, &layout.column_hashes(), until, read).await
}

/// The key of the last row of the next chunk of so many; none if no more than that are left.
pub(crate) async fn end_of_chunk(
    session: &Session,
    layout: &Layout,
    after: &Option<Key>,
    rows: i64,
    until: Instant,
) -> Result<Answer<Option<Key>>, PgError> {
    let range = Range { after: after.clone(), upto: None };
    let (condition, _) = layout.within(&range);
    let sql = format!(
        "SELECT {} FROM ONLY {} t WHERE {condition} ORDER BY {} OFFSET {} LIMIT 1",
        layout.key_text(),
        layout.table,
        layout.key_order(),
        rows.max(1) - 1
    );
    let read = |rows: Vec<Row>| rows.first().map(|row| row.get(0));
    ask(session, until, "find the end of a chunk", layout, &sql, &parameters(&range), read).await
}

/// The subquery is one index lookup for each key, whatever the server thinks of their number.
async fn by_key<T>(
    session: &Session,
    layout: &Layout,
    keys: &[Key],
    what: &str,
    until: Instant,
    read: impl FnOnce(Vec<Row>) -> T,
) -> Result<Answer<T>, PgError> {
    let width = layout.key.len();
    let names: Vec<String> = (1..=width).map(|at| format!("k{at}")).collect();
    let arrays: Vec<String> = (1..=width).map(|at| format!("${at}::text[]")).collect();
    let sql = format!(
        "SELECT k.n, r.* FROM unnest({}) WITH ORDINALITY AS k ({}, n)
         CROSS JOIN LATERAL (SELECT {what} FROM ONLY {} t WHERE {} OFFSET 0) r",
        arrays.join(", "),
        names.join(", "),
        layout.table,
        layout.is_key()
    );
    let columns: Vec<Vec<&str>> =
        (0..width).map(|at| keys.iter().map(|key| key.get(at).map_or("", String::as_str)).collect()).collect();
    let values: Vec<&(dyn ToSql + Sync)> = columns.iter().map(|column| column as &(dyn ToSql + Sync)).collect();
    ask(session, until, "read rows", layout, &sql, &values, read).await
}

/// How many rows have each of these hashes.
async fn counts(
    session: &Session,
    layout: &Layout,
    keys: &[Key],
    until: Instant,
) -> Result<Answer<Vec<Option<State>>>, PgError> {
    let hashes: Vec<i64> = keys.iter().map(|key| key.first().and_then(|hash| hash.parse().ok()).unwrap_or(0)).collect();
    let sql = format!(
        "SELECT k.n, c.rows, c.versions
         FROM (SELECT r.hash, count(*) AS rows, sum(r.version)::bigint AS versions
               FROM (SELECT {} AS hash, t.xmin::text::bigint AS version FROM ONLY {} t OFFSET 0) r
               WHERE r.hash = ANY ($1::bigint[]) GROUP BY r.hash) c
         JOIN unnest($1::bigint[]) WITH ORDINALITY AS k (hash, n) ON k.hash = c.hash",
        layout.row_hash(),
        layout.table
    );
    let read = |rows: Vec<Row>| in_order(keys.len(), rows.iter().map(|row| (row.get(0), state(row, 1))));
    ask(session, until, "count rows", layout, &sql, &[&hashes], read).await
}

async fn ask<T>(
    session: &Session,
    until: Instant,
    doing: &str,
    layout: &Layout,
    sql: &str,
    values: &[&(dyn ToSql + Sync)],
    read: impl FnOnce(Vec<Row>) -> T,
) -> Result<Answer<T>, PgError> {
    let time = until.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
    session.run("limit the statement", &format!("SET statement_timeout = {}", time.as_millis())).await?;
    let answer = session.rows(&format!("{doing} {}", layout.table), sql, values).await;
    session.run("lift the limit", "SET statement_timeout = 0").await?;
    match answer {
        Ok(rows) => Ok(Answer::Got(read(rows))),
        Err(error) if error.state == Some(SqlState::QUERY_CANCELED) => Ok(Answer::TooSlow),
        Err(error) if error.kind == PgErrorKind::Busy => Ok(Answer::Busy),
        Err(error) => Err(error),
    }
}

fn parameters(range: &Range) -> Vec<&(dyn ToSql + Sync)> {
    let bounds = range.after.iter().chain(&range.upto);
    bounds.flatten().map(|value| value as &(dyn ToSql + Sync)).collect()
}

fn sum(row: &Row, at: usize) -> Sum {
    Sum { rows: row.get(at), hash: row.get(at + 1) }
}

fn state(row: &Row, at: usize) -> State {
    State { value: row.get(at), version: row.get(at + 1) }
}

/// By the ordinality, from 1, that came back with each.
fn in_order<T: Clone>(length: usize, found: impl Iterator<Item = (i64, T)>) -> Vec<Option<T>> {
    let mut all = vec![None; length];
    for (place, one) in found {
        if let Some(slot) = usize::try_from(place - 1).ok().and_then(|place| all.get_mut(place)) {
            *slot = Some(one);
        }
    }
    all
}
