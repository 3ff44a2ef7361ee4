//! Collations whose rules changed after indexes were built with them: the copy inherits these indexes, and their order may be wrong.
//! Source: PostgreSQL documentation, ALTER COLLATION, REFRESH VERSION; pg_database.datcollversion from 15 on.

use pgleap_contract::Severity;

use crate::query::{self, Query};

pub(super) const CHECK: Query = Query {
    id: "collation-version",
    severity: Severity::Warning,
    sql: include_str!("collation_versions.sql"),
    found: "the collation of {what} had version {why} when indexes were built with it, and has another one now; the order of these indexes may be wrong",
    remedy: "REINDEX the indexes that use it, then ALTER .. REFRESH [COLLATION] VERSION",
    when: query::always,
};
