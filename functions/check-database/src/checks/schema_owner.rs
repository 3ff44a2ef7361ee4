//! The login may use every schema and may grant that right to others: it owns the schema or is a member of its owner. Schema
//! `public` belongs to `pg_database_owner` from PostgreSQL 15 on.

use pgleap_contract::Severity;

use crate::query::{self, Query};

pub(super) const CHECK: Query = Query {
    id: "schema-owner",
    severity: Severity::Blocker,
    sql: include_str!("schema_owner.sql"),
    found: "schema {what} belongs to {why}, and the login {login} is not a member of that role",
    remedy: "GRANT \"{why}\" TO \"{login}\", or GRANT USAGE, CREATE ON SCHEMA {what} TO \"{login}\" WITH GRANT OPTION",
    when: query::always,
};
