//! The login owns what the run must alter, or is a member of each owner. From 16 on a membership must be granted by somebody
//! who has the ADMIN OPTION; CREATEROLE alone is no longer enough.
//! Source: PostgreSQL documentation, release notes of 16, "CREATEROLE".

use pgleap_contract::Severity;

use crate::query::{self, Query};

pub(super) const CHECK: Query = Query {
    id: "table-owner",
    severity: Severity::Blocker,
    sql: include_str!("table_owner.sql"),
    found: "{why}; the login {login} is not a member of that role",
    remedy: "as a role with ADMIN OPTION on it (up to PostgreSQL 15, any role with CREATEROLE): GRANT \"{what}\" TO \"{login}\"",
    when: query::always,
};
