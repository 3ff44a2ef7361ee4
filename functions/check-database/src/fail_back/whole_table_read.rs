//! Large tables without a key: PostgreSQL below 16 reads the whole table for each row that is updated or deleted, and later majors do
//! if no index helps. The source may then never catch up with the target.
//! Source: PostgreSQL documentation, "Logical Replication", "Publication", replica identity FULL; release notes of 16.

use pgleap_contract::Severity;

use crate::query::{self, Query};

pub(super) const CHECK: Query = Query {
    id: "fail-back-whole-table-read",
    severity: Severity::Warning,
    sql: include_str!("whole_table_read.sql"),
    found: "with failBack, the source reads {count} large table(s) without a key completely for each row that is updated or deleted, and may not keep up: {what}",
    remedy: "add a primary key",
    when: query::always,
};
