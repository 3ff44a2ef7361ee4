//! A database that is read-only by default: so a run leaves its source behind after OPEN.

use pgleap_contract::Severity;

use crate::query::{self, Query};

pub(super) const CHECK: Query = Query {
    id: "read-only-database",
    severity: Severity::Blocker,
    sql: include_str!("read_only_database.sql"),
    found: "database {what} is read-only by default ({why}), as a run leaves the source that it has upgraded from",
    remedy: "make sure that this is the database that applications write to; then ALTER DATABASE {what} RESET default_transaction_read_only",
    when: query::always,
};
