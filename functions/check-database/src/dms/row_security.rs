//! The DMS login owns no table, so row security would hide rows from it, and DMS would silently copy only the rows that it sees.
//! Source: PostgreSQL documentation, "Row Security Policies".

use pgleap_contract::Severity;

use crate::query::{self, Query};

pub(super) const CHECK: Query = Query {
    id: "row-security",
    severity: Severity::Blocker,
    sql: include_str!("row_security.sql"),
    found: "table {what} has row security: DMS would copy only the rows that a policy shows to its login",
    remedy: "",
    when: query::always,
};
