//! Aggregates and operators over array functions whose argument types 14 changed from anyarray to anycompatiblearray.
//! Source: PostgreSQL documentation, release notes of 14; pg_upgrade's check of incompatible polymorphic functions.

use pgleap_contract::Severity;

use crate::query::Query;

pub(super) const CHECK: Query = Query {
    id: "polymorphic-function",
    severity: Severity::Blocker,
    sql: include_str!("polymorphic_functions.sql"),
    found: "{what} uses {why}, whose argument types PostgreSQL 14 changed",
    remedy: "drop it before the run, and create it again on the target with anycompatible types",
    when: |asked| asked.crosses(14),
};
