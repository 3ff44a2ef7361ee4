//! Indexes that were left invalid: they serve no queries, and they stay invalid on the copy.
//! Source: PostgreSQL documentation, "Building Indexes Concurrently".

use pgleap_contract::Severity;

use crate::query::{self, Query};

pub(super) const CHECK: Query = Query {
    id: "invalid-index",
    severity: Severity::Warning,
    sql: include_str!("invalid_indexes.sql"),
    found: "index {what} on {why} is invalid: a CREATE INDEX CONCURRENTLY failed or is still running",
    remedy: "REINDEX it or drop it; otherwise, it is invalid on the target too",
    when: query::always,
};
