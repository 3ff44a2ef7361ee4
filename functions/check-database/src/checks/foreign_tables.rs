//! The data of foreign tables stays on the server that they point to, and the target must be able to reach that server too.

use pgleap_contract::Severity;

use crate::query::{self, Query};

pub(super) const CHECK: Query = Query {
    id: "foreign-table",
    severity: Severity::Warning,
    sql: include_str!("foreign_tables.sql"),
    found: "the run carries only the definition of foreign table {what}; its data stays on server {why}",
    remedy: "make sure that the target can reach that server",
    when: query::always,
};
