//! How far the copy is, for the screen: rows that arrived, WAL that has not.

use tokio_postgres::Client;

use super::{Access, connect};

/// Looks at both sides now and then.
pub struct Meter {
    source: Access,
    target: Access,
    on_source: Option<Client>,
    on_target: Option<Client>,
}

/// One look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reading {
    /// Rows inserted into the target's tables so far.
    pub rows: Option<i64>,
    /// Bytes of WAL that the slot's reader has not confirmed.
    pub lag_bytes: Option<i64>,
}

const ROWS: &str =
    "SELECT coalesce(sum(n_tup_ins), 0)::int8 FROM pg_stat_user_tables WHERE schemaname NOT LIKE 'pgleap%'";
const LAG: &str =
    "SELECT max(pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn))::int8 FROM pg_replication_slots
                   WHERE slot_type = 'logical'";

impl Meter {
    /// Look at these two.
    pub fn new(source: Access, target: Access) -> Self {
        Self { source, target, on_source: None, on_target: None }
    }

    /// Look now. What cannot be seen is absent.
    pub async fn read(&mut self) -> Reading {
        let rows = ask(&self.target, &mut self.on_target, ROWS).await;
        let lag_bytes = ask(&self.source, &mut self.on_source, LAG).await;
        Reading { rows, lag_bytes }
    }

    /// Leave both servers: nothing of ours is connected any more.
    pub fn leave(&mut self) {
        self.on_source = None;
        self.on_target = None;
    }
}

async fn ask(access: &Access, client: &mut Option<Client>, sql: &str) -> Option<i64> {
    if client.as_ref().is_none_or(Client::is_closed) {
        *client = connect(access).await.ok();
    }
    client.as_ref()?.query_one(sql, &[]).await.ok()?.get(0)
}
