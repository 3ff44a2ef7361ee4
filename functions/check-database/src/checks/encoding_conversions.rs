//! User-defined encoding conversions: PostgreSQL 14 changed the arguments of their functions.
//! Source: PostgreSQL documentation, release notes of 14; pg_upgrade's check of user-defined encoding conversions.

use pgleap_contract::Severity;

use crate::query::Query;

pub(super) const CHECK: Query = Query {
    id: "encoding-conversion",
    severity: Severity::Blocker,
    sql: include_str!("encoding_conversions.sql"),
    found: "encoding conversion {what} uses a function with arguments that PostgreSQL 14 and later do not accept",
    remedy: "drop it before the run",
    when: |asked| asked.crosses(14),
};
