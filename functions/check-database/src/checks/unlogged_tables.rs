//! Unlogged tables are not in the WAL, and they are empty after a restore from a snapshot.
//! Source: PostgreSQL documentation, CREATE TABLE, UNLOGGED; Amazon RDS user guide, "Restoring to a DB instance".

use pgleap_contract::Severity;

use crate::query::{self, Query};

pub(super) const CHECK: Query = Query {
    id: "table-not-logged",
    severity: Severity::Warning,
    sql: include_str!("unlogged_tables.sql"),
    found: "unlogged table {what} will be empty on the target",
    remedy: "fill it after the cutover, or ALTER TABLE {what} SET LOGGED before the run",
    when: query::always,
};
