//! Tables whose old rows PostgreSQL cannot identify: as soon as the target publishes such a table, PostgreSQL refuses updates and
//! deletes on it. If native replication is the only engine, `table-without-identity` says the same.
//! Source: PostgreSQL documentation, "Logical Replication", "Publication", replica identity.

use pgleap_contract::{KeylessTables, Severity};

use crate::query::Query;

pub(super) const CHECK: Query = Query {
    id: "fail-back-identity",
    severity: Severity::Blocker,
    sql: include_str!("../native/identity.sql"),
    found: "failBack publishes table {what} on the target, but the table {why}",
    remedy: "",
    when: |asked| asked.keyless == KeylessTables::Refuse && !asked.is_native,
};
