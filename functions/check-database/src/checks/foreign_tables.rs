//! Foreign tables are where they point to: the target must reach that, too.

use pgleap_contract::Severity;

use crate::query::{self, Query};

pub(super) const CHECK: Query = Query {
    id: "foreign-table",
    severity: Severity::Warning,
    sql: include_str!("foreign_tables.sql"),
    found: "foreign table {what} is carried as a definition only; it points to server {why}",
    remedy: "make sure that the target reaches that server",
    when: query::always,
};
