//! Tables without a key, with a column of a type that has no equality operator: the target could not find the row of an update.
//! Source: PostgreSQL documentation, "Logical Replication", "Publication", replica identity FULL.

use pgleap_contract::Severity;

use crate::query::{self, Query};

pub(super) const CHECK: Query = Query {
    id: "row-without-equality",
    severity: Severity::Blocker,
    sql: include_str!("equality.sql"),
    found: "column {what} of type {why} has no equality operator, and its table has no key: the target could not find the row of an update",
    remedy: "add a primary key; or add a unique index over NOT NULL columns, and then ALTER TABLE .. REPLICA IDENTITY USING INDEX",
    when: query::always,
};
