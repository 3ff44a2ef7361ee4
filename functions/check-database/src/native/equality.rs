//! Tables without a key, with a column of a type that has no equality: the target could not find the row of an update.
//! Source: PostgreSQL documentation, "Logical Replication", "Publication", replica identity FULL.

use pgleap_contract::Severity;

use crate::query::{self, Query};

pub(super) const CHECK: Query = Query {
    id: "row-without-equality",
    severity: Severity::Blocker,
    sql: include_str!("equality.sql"),
    found: "column {what} of type {why} has no equality, and its table has no key: the target could not find the row of an update",
    remedy: "add a primary key, or a unique index over columns that are NOT NULL and ALTER TABLE .. REPLICA IDENTITY USING INDEX",
    when: query::always,
};
