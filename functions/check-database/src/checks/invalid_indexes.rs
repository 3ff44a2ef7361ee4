//! Indexes that were left invalid: they answer no query, and on the copy they stay as they are.
//! Source: PostgreSQL documentation, "Building Indexes Concurrently".

use pgleap_contract::Severity;

use crate::query::{self, Query};

pub(super) const CHECK: Query = Query {
    id: "invalid-index",
    severity: Severity::Warning,
    sql: include_str!("invalid_indexes.sql"),
    found: "index {what} on {why} is not valid: a CREATE INDEX CONCURRENTLY failed, or is under way",
    remedy: "REINDEX it or drop it; the target gets it as it is",
    when: query::always,
};
