//! Tables whose names differ only in case: DMS treats them as one table.
//! Source: AWS DMS user guide, "Using a PostgreSQL database as an AWS DMS source", limitations.

use pgleap_contract::Severity;

use crate::query::{self, Query};

pub(super) const CHECK: Query = Query {
    id: "names-by-case",
    severity: Severity::Blocker,
    sql: include_str!("names_by_case.sql"),
    found: "the names of tables {why} differ only in case, so DMS treats them as one table",
    remedy: "rename one of them",
    when: query::always,
};
