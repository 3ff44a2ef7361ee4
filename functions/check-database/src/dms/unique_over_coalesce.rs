//! Unique indexes over coalesce().
//! Source: AWS DMS user guide, "Using a PostgreSQL database as an AWS DMS source", limitations.

use pgleap_contract::Severity;

use crate::query::{self, Query};

pub(super) const CHECK: Query = Query {
    id: "unique-over-coalesce",
    severity: Severity::Blocker,
    sql: include_str!("unique_over_coalesce.sql"),
    found: "unique index {what} is over coalesce(), which DMS does not support",
    remedy: "use copy.engine native (or auto), which carries it; or use NULLS NOT DISTINCT (PostgreSQL 15 and later) instead",
    when: query::always,
};
