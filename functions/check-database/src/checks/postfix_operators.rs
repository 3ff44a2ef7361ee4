//! Postfix operators, which PostgreSQL 14 no longer supports.
//! Source: PostgreSQL documentation, release notes of 14.

use pgleap_contract::Severity;

use crate::query::Query;

pub(super) const CHECK: Query = Query {
    id: "postfix-operator",
    severity: Severity::Blocker,
    sql: include_str!("postfix_operators.sql"),
    found: "operator {what} is a postfix operator, which PostgreSQL 14 and later do not support",
    remedy: "drop it, and call the function {why} instead",
    when: |asked| asked.crosses(14),
};
