//! Encoding conversions of users: 14 changed what such a function takes.
//! Source: PostgreSQL documentation, release notes of 14; pg_upgrade's check of user-defined encoding conversions.

use pgleap_contract::Severity;

use crate::query::Query;

pub(super) const CHECK: Query = Query {
    id: "encoding-conversion",
    severity: Severity::Blocker,
    sql: include_str!("encoding_conversions.sql"),
    found: "encoding conversion {what} is of an older kind than PostgreSQL 14 and later take",
    remedy: "drop it before the run",
    when: |asked| asked.crosses(14),
};
