//! A database that is read-only by default: a run leaves its source in this state after OPEN.

use pgleap_contract::Severity;

use crate::query::{self, Query};

pub(super) const CHECK: Query = Query {
    id: "read-only-database",
    severity: Severity::Blocker,
    sql: include_str!("read_only_database.sql"),
    found: "database {what} is read-only by default ({why}); a run leaves its source in this state, so this may be an old source",
    remedy: "make sure that applications write to this database; then ALTER DATABASE {what} RESET default_transaction_read_only",
    when: query::always,
};
