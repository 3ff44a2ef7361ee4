//! Collations whose rules changed since indexes were built with them: the copy inherits indexes that may be in disorder.
//! Source: PostgreSQL documentation, ALTER COLLATION, REFRESH VERSION; pg_database.datcollversion from 15 on.

use pgleap_contract::Severity;

use crate::query::{self, Query};

pub(super) const CHECK: Query = Query {
    id: "collation-version",
    severity: Severity::Warning,
    sql: include_str!("collation_versions.sql"),
    found: "collation of {what} was version {why} when its indexes were built, and is another now",
    remedy: "REINDEX what is sorted by it, then ALTER .. REFRESH [COLLATION] VERSION",
    when: query::always,
};
