//! Tables whose names differ by case alone are one table to DMS.
//! Source: AWS DMS user guide, "Using a PostgreSQL database as an AWS DMS source", limitations.

use pgleap_contract::Severity;

use crate::query::{self, Query};

pub(super) const CHECK: Query = Query {
    id: "names-by-case",
    severity: Severity::Blocker,
    sql: include_str!("names_by_case.sql"),
    found: "tables {why} differ only by case",
    remedy: "rename one of them",
    when: query::always,
};
