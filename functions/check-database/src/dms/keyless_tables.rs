//! Tables whose logged old rows do not contain a primary key: DMS drops their updates and deletes.
//! Source: AWS DMS user guide, "Using a PostgreSQL database as an AWS DMS source", limitations.

use pgleap_contract::{KeylessTables, Severity};

use crate::query::Query;

pub(super) const CHECK: Query = Query {
    id: "table-without-key",
    severity: Severity::Blocker,
    sql: include_str!("keyless_tables.sql"),
    found: "table {what} {why}: DMS would drop its updates and deletes",
    remedy: "",
    when: |asked| asked.keyless == KeylessTables::Refuse,
};
