//! Tables whose old rows PostgreSQL cannot identify: as soon as such a table is published, it refuses updates and deletes on it, whoever issues them.
//! Source: PostgreSQL documentation, "Logical Replication", "Publication", replica identity.

use pgleap_contract::{KeylessTables, Severity};

use crate::query::Query;

pub(super) const CHECK: Query = Query {
    id: "table-without-identity",
    severity: Severity::Blocker,
    sql: include_str!("identity.sql"),
    found: "table {what} {why}",
    remedy: "",
    when: |asked| asked.keyless == KeylessTables::Refuse,
};
