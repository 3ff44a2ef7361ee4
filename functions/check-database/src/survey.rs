//! What a plan needs to know of the source beside its size: indexes to build, WAL that is written meanwhile.

use std::time::Instant;

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
