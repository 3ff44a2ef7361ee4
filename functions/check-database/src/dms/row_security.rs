//! DMS's login owns no table, so row security would hide rows from it, and it would copy what it sees without a word.
//! Source: PostgreSQL documentation, "Row Security Policies".

use pgleap_contract::Severity;

use crate::query::{self, Query};

pub(super) const CHECK: Query = Query {
    id: "row-security",
    severity: Severity::Blocker,
    sql: include_str!("row_security.sql"),
    found: "table {what} has row security: DMS would copy only the rows that a policy shows it",
    remedy: "",
    when: query::always,
};
