//! Operators behind their operand, which 14 does not have any more.
//! Source: PostgreSQL documentation, release notes of 14.

use pgleap_contract::Severity;

use crate::query::Query;

pub(super) const CHECK: Query = Query {
    id: "postfix-operator",
    severity: Severity::Blocker,
    sql: include_str!("postfix_operators.sql"),
    found: "operator {what} stands behind its operand, which PostgreSQL 14 and later refuse",
    remedy: "drop it (and use the function {why})",
    when: |asked| asked.crosses(14),
};
