//! If a table has no key, DMS looks for the row of a change by all of its columns, and compares each with a text that PostgreSQL casts to
//! the column's type: for a type without an equality operator (`point`), the statement fails, and DMS suspends the table.
//! Source: AWS DMS user guide, "Using a PostgreSQL database as an AWS DMS source" (replica identity FULL); the statement and its
//! failure ("operator does not exist: point = unknown"): observed on PostgreSQL, that DMS writes it so: assumed.

use pgleap_contract::Severity;

use crate::query::{self, Query};

pub(super) const CHECK: Query = Query {
    id: "row-not-comparable",
    severity: Severity::Blocker,
    sql: include_str!("row_comparable.sql"),
    found: "column {what} of type {why} has no equality operator, and its table has no primary key: DMS could not find the row of an update",
    remedy: "",
    when: query::always,
};
