//! The login may read every table: even an owner can lack privileges on its own table, and a check of the values would then see nothing.
//! Source: PostgreSQL documentation, "Privileges" (an owner may revoke its own).

use pgleap_contract::Severity;

use crate::query::{self, Query};

pub(super) const CHECK: Query = Query {
    id: "table-privilege",
    severity: Severity::Blocker,
    sql: include_str!("table_privileges.sql"),
    found: "the login {login} may not read table {what}, although this login is {why}",
    remedy: "GRANT ALL ON TABLE {what} TO \"{login}\"",
    when: query::always,
};
