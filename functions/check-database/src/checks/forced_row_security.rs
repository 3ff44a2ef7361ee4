//! Row security that binds even the owner hides rows from the comparison of both sides. Other policies are set aside on the target
//! until the cutover, and the source's changes are read past them.
//! Source: PostgreSQL documentation, "Row Security Policies"; "Logical Replication", "Security".

use pgleap_contract::Severity;

use crate::query::{self, Query};

pub(super) const CHECK: Query = Query {
    id: "row-security-forced",
    severity: Severity::Blocker,
    sql: "SELECT c.name AS what, '' AS why FROM carried c JOIN pg_class k ON k.oid = c.oid WHERE c.relrowsecurity AND k.relforcerowsecurity",
    found: "table {what} forces row security on its owner too: the comparison would see a part of its rows only",
    remedy: "ALTER TABLE {what} NO FORCE ROW LEVEL SECURITY for the time of the run",
    when: query::always,
};
