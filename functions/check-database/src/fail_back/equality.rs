//! Tables without a key, with a column of a type that has no equality operator: the source could not find the row of an update. If
//! native replication is the only engine, `row-without-equality` says the same.
//! Source: PostgreSQL documentation, "Logical Replication", "Publication", replica identity FULL.

use pgleap_contract::Severity;

use crate::query::Query;

pub(super) const CHECK: Query = Query {
    id: "fail-back-equality",
    severity: Severity::Blocker,
    sql: include_str!("../native/equality.sql"),
    found: "column {what} of type {why} has no equality operator, and its table has no key: with failBack, the source could not find the row of an update on the target",
    remedy: "add a primary key; or add a unique index over NOT NULL columns, and then ALTER TABLE .. REPLICA IDENTITY USING INDEX",
    when: |asked| !asked.is_native,
};
