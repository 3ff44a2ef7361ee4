//! A replication slot of the run: made, looked at, dropped.

use std::time::Duration;

use tokio_postgres::error::SqlState;

use crate::{Lsn, PgError, Session, literal};

/// What the source says of the slot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct State {
    /// It has been read to here; none where there is no slot that can be read.
    pub confirmed: Option<Lsn>,
    /// How far the source's log was on its disk: everything that was answered as committed before is in it, but for commits
    /// that do not wait for the disk.
    pub written: Option<Lsn>,
    /// WAL that is decoded anew at each reading, because a transaction that began in it was open: in bytes.
    pub decoded_again: u64,
    /// There is one, or there is about to be.
    pub exists: bool,
    /// The source has given up keeping WAL for it.
    pub is_lost: bool,
    /// WAL that the source keeps for it, in bytes.
    pub retained_bytes: i64,
}

/// Look at it, as any login.
pub async fn look(session: &Session, slot: &str) -> Result<State, PgError> {
    let sql = "SELECT s.confirmed_flush_lsn::text, coalesce(s.wal_status = 'lost', false),
                      coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), s.restart_lsn), 0)::bigint,
                      greatest(coalesce(pg_wal_lsn_diff(s.confirmed_flush_lsn, s.restart_lsn), 0), 0)::bigint,
                      pg_current_wal_flush_lsn()::text
               FROM pg_replication_slots s WHERE s.slot_name = $1::text::name AND s.database = current_database()";
    let rows = session.rows("read the state of a slot of the run", sql, &[&slot]).await?;
    let Some(row) = rows.first() else { return Ok(State::default()) };
    let (confirmed, is_lost): (Option<&str>, bool) = (row.get(0), row.get(1));
    Ok(State {
        written: row.get::<_, &str>(4).parse().ok(),
        confirmed: confirmed.filter(|_| !is_lost).and_then(|lsn| lsn.parse().ok()),
        exists: true,
        is_lost,
        retained_bytes: row.get(2),
        decoded_again: row.get::<_, i64>(3).unsigned_abs(),
    })
}

/// How far the making of the slot is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Making {
    /// Changes from here on are seen.
    Done,
    /// It waits for transactions that were open, as every logical slot does.
    Waits,
}

/// Make a slot with this decoding plugin, or see how far its making is: the server goes on by itself, because a transaction may
/// be open for longer than a call lasts. `session` is a login that may replicate, and is used up. A call that arrives after
/// the run's schema is gone makes none.
pub async fn make(session: Session, slot: &str, plugin: &str) -> Result<Making, PgError> {
    match look(&session, slot).await? {
        State { confirmed: Some(_), .. } => return Ok(Making::Done),
        State { exists: true, .. } => return Ok(Making::Waits),
        State { exists: false, .. } => {}
    }
    let sql = format!(
        "SELECT pg_create_logical_replication_slot({}, {}) FROM pgleap.run LIMIT 1",
        literal(slot),
        literal(plugin)
    );
    match session.start_and_leave(&format!("create slot {slot}"), &sql).await {
        // Another call was faster.
        Err(error) if error.state == Some(SqlState::DUPLICATE_OBJECT) => Ok(Making::Waits),
        started => started.map(|()| Making::Waits),
    }
}

/// Drop it if it is there, as a login that may replicate.
pub async fn drop(session: &Session, slot: &str) -> Result<(), PgError> {
    let sql = "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1::text::name";
    session.rows("drop a slot of the run", sql, &[&slot]).await?;
    Ok(())
}

/// Drop it if it is there, and end who reads it: a subscription comes again after seconds, so there is a moment without it. One
/// that is still read after that is left.
pub async fn end_and_drop(session: &Session, slot: &str) -> Result<(), PgError> {
    const TRIES: usize = 20;
    let end = "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = $1::text::name AND active_pid IS NOT NULL";
    let drop = "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1::text::name AND NOT active";
    for _ in 0..TRIES {
        session.rows("end the session that reads a slot of the run", end, &[&slot]).await?;
        session.rows("drop a slot of the run", drop, &[&slot]).await?;
        if !look(session, slot).await?.exists {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}
