//! Tables without a primary key that have a unique index over NOT NULL columns: the run makes this index the replica identity, and says so.
//! Source: PostgreSQL documentation, ALTER TABLE, REPLICA IDENTITY USING INDEX.

use pgleap_contract::Severity;

use crate::query::{self, Query};

pub(super) const CHECK: Query = Query {
    id: "identity-by-index",
    severity: Severity::Warning,
    sql: include_str!("identity_by_index.sql"),
    found: "{count} table(s) without a usable primary key have a unique index, which the run uses as their replica identity: {what}",
    remedy: "nothing to do: the run restores the previous setting at the end and after a rollback",
    when: query::always,
};
