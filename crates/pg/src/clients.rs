//! The applications' sessions on a server: how many, how old, and how often one is opened.

use crate::{PgError, Session};

const SQL: &str = include_str!("clients.sql");

/// One observation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Sessions that are open.
    pub connected: u64,
    /// Of these, begun before the moment that was asked for.
    pub old: u64,
    /// Sessions that were opened since the server counts, also those of the run; none before PostgreSQL 14.
    pub opened: Option<i64>,
    /// When, in milliseconds since the epoch, by the server's clock.
    pub at_epoch_ms: i64,
    /// The server was started after the moment that was asked for.
    pub restarted: bool,
}

/// Look now. `since`: milliseconds since the epoch; without it, five minutes ago.
pub async fn look(session: &Session, since: Option<i64>) -> Result<Look, PgError> {
    let row = session.row("observe the clients", SQL, &[&since]).await?;
    Ok(Look {
        connected: row.get::<_, i64>(0).unsigned_abs(),
        old: row.get::<_, i64>(1).unsigned_abs(),
        opened: row.get(2),
        at_epoch_ms: row.get(3),
        restarted: row.get(4),
    })
}
