//! Row security that applies even to the owner hides rows from the comparison of both sides. The run removes all other policies from
//! the target until the cutover, and policies do not apply when it reads the source's changes.
//! Source: PostgreSQL documentation, "Row Security Policies"; "Logical Replication", "Security".

use pgleap_contract::Severity;

use crate::query::{self, Query};

pub(super) const CHECK: Query = Query {
    id: "row-security-forced",
    severity: Severity::Blocker,
    sql: "SELECT c.name AS what, '' AS why FROM carried c JOIN pg_class k ON k.oid = c.oid WHERE c.relrowsecurity AND k.relforcerowsecurity",
    found: "row security of table {what} applies to its owner too, so the comparison of both sides would see only a part of its rows",
    remedy: "ALTER TABLE {what} NO FORCE ROW LEVEL SECURITY for the duration of the run",
    when: query::always,
};
