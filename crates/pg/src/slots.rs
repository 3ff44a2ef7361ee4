//! The slot that the copy engine reads the source by: how much WAL the source keeps for it, and whether anybody reads it.
//!
//! The native engine's has the run's name. DMS names its slots itself (16 characters of the task's resource id, the database's oid, a uuid), and the steps that
//! speak to databases do not know the task, so the slot is found by that form, its plugin and its database.

use crate::{PgError, Session};

/// What the source says of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Slot {
    /// There is one, or more.
    pub exists: bool,
    /// Somebody reads it.
    pub is_read: bool,
    /// The source has given up keeping WAL for it.
    pub is_lost: bool,
    /// WAL that the source keeps for it and for the slot of the run's watch, in bytes.
    pub retained_bytes: i64,
    /// WAL that its reader has not confirmed yet, in bytes.
    pub lag_bytes: i64,
    /// Where the source writes now, in bytes from the beginning of its WAL.
    pub written: i64,
}

/// Look at the slot, as any login.
pub async fn look(source: &Session) -> Result<Slot, PgError> {
    let row = source.row("read the state of the slot", include_str!("slots.sql"), &[]).await?;
    Ok(Slot {
        exists: row.get(0),
        is_read: row.get(1),
        is_lost: row.get(2),
        retained_bytes: row.get(3),
        lag_bytes: row.get(4),
        written: row.get(5),
    })
}
