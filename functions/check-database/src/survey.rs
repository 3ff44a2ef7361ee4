//! What a plan needs to know of the source beside its size: indexes to build, WAL and tables that are written to meanwhile.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use pgleap_contract::steps::{BusyTable, SourceLoad};
use pgleap_pg::{PgError, Session};

use crate::query::Asked;

/// Where the WAL is, in bytes, and when it was there.
pub(crate) struct WalMark {
    bytes: i64,
    at: Instant,
}

const POSITION: &str = "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint";

/// Indexes beside the keys, which are set aside and built again.
const INDEXES: &str = "\
    SELECT coalesce(sum(pg_relation_size(i.indexrelid)), 0)::bigint \
    FROM pg_index i JOIN carried c ON c.oid = i.indrelid WHERE NOT i.indisprimary";

pub(crate) async fn mark(session: &Session) -> Result<WalMark, PgError> {
    let bytes = session.row("read the WAL's position", POSITION, &[]).await?.get(0);
    Ok(WalMark { bytes, at: Instant::now() })
}

/// Bytes of WAL a second since the mark.
pub(crate) async fn wal_rate(session: &Session, since: &WalMark) -> Result<u64, PgError> {
    let now = mark(session).await?;
    let seconds = now.at.duration_since(since.at).as_secs_f64().max(0.1);
    Ok(((now.bytes - since.bytes).max(0) as f64 / seconds) as u64)
}

/// Bytes of the indexes to build again.
pub(crate) async fn index_bytes(session: &Session, asked: &Asked) -> Result<u64, PgError> {
    let sql = format!("WITH {} {INDEXES}", include_str!("carried.sql"));
    let bytes: i64 = session.row("measure indexes", &sql, &[&asked.skipped]).await?.get(0);
    Ok(bytes.unsigned_abs())
}

/// How long changes are counted at the least: a session reports its own once a second.
const WINDOW: Duration = Duration::from_secs(2);
/// From how many changes a minute on a table hardly ever stands still.
const BUSY: u64 = 60;

const CHANGES: &str = "\
    SELECT c.oid, pg_stat_get_tuples_inserted(c.oid) + pg_stat_get_tuples_updated(c.oid) + pg_stat_get_tuples_deleted(c.oid) \
    FROM carried c";

const DETAILS: &str = "\
    SELECT c.oid, c.name, greatest(r.reltuples, pg_stat_get_live_tuples(c.oid), 0)::bigint, pg_table_size(c.oid), \
           EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary) \
    FROM carried c JOIN pg_class r ON r.oid = c.oid WHERE c.oid = ANY ($2)";

/// How many changes of rows each table has seen, and when that was read.
pub(crate) struct ChangeMark {
    changes: HashMap<u32, i64>,
    at: Instant,
}

pub(crate) async fn changes(session: &Session, asked: &Asked) -> Result<ChangeMark, PgError> {
    let sql = format!("WITH {} {CHANGES}", include_str!("carried.sql"));
    let rows = session.rows("count changes", &sql, &[&asked.skipped]).await?;
    let of_table = |row: &tokio_postgres::Row| Some((row.get(0), row.get::<_, Option<i64>>(1)?));
    Ok(ChangeMark { changes: rows.iter().filter_map(of_table).collect(), at: Instant::now() })
}

/// Tables that clients have written to all the time since the mark, the busiest first.
pub(crate) async fn busy(session: &Session, asked: &Asked, since: &ChangeMark) -> Result<Vec<BusyTable>, PgError> {
    tokio::time::sleep_until((since.at + WINDOW).into()).await;
    let rates = rates(since, &changes(session, asked).await?);
    if rates.is_empty() {
        return Ok(Vec::new());
    }
    let tables: Vec<u32> = rates.iter().map(|(table, _)| *table).collect();
    let sql = format!("WITH {} {DETAILS}", include_str!("carried.sql"));
    let rows = session.rows("look at busy tables", &sql, &[&asked.skipped, &tables]).await?;
    let described = rates.into_iter().filter_map(|(table, changes_per_minute)| {
        let row = rows.iter().find(|row| row.get::<_, u32>(0) == table)?;
        let count = |at: usize| row.get::<_, i64>(at).unsigned_abs();
        let (rows, bytes) = (count(2), count(3));
        Some(BusyTable { table: row.get(1), changes_per_minute, rows, bytes, has_key: row.get(4) })
    });
    Ok(described.collect())
}

fn rates(before: &ChangeMark, after: &ChangeMark) -> Vec<(u32, u64)> {
    let minutes = after.at.duration_since(before.at).as_secs_f64() / 60.0;
    let rate = |(table, now): (&u32, &i64)| {
        let changes = (now - before.changes.get(table).unwrap_or(&0)).max(0);
        (*table, (changes as f64 / minutes) as u64)
    };
    let mut rates: Vec<(u32, u64)> = after.changes.iter().map(rate).filter(|(_, rate)| *rate >= BUSY).collect();
    rates.sort_unstable_by_key(|(table, rate)| (std::cmp::Reverse(*rate), *table));
    rates.truncate(SourceLoad::LISTED);
    rates
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_busiest_tables_come_first_and_quiet_ones_are_left_out() {
        let at = Instant::now();
        let mark = |changes: &[(u32, i64)], at| ChangeMark { changes: changes.iter().copied().collect(), at };
        let before = mark(&[(1, 100), (2, 0), (3, 50), (4, 9)], at);
        let after = mark(&[(1, 110), (2, 1), (3, 50), (4, 0), (5, 40)], at + Duration::from_secs(6));

        assert_eq!(rates(&before, &after), [(5, 400), (1, 100)]);
    }
}
