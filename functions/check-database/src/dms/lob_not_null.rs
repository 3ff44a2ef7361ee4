//! DMS writes a separately transferred value in a second step, and until then its column is null. For that time, the run removes
//! NOT NULL and check constraints on the target, but some things that refuse a null cannot be removed.
//! Source: AWS DMS user guide, "LOB support for source databases"; what cannot be lifted: observed on PostgreSQL 13, 15, 18.

use pgleap_contract::Severity;

use crate::query::{self, Query};

pub(super) const CHECK: Query = Query {
    id: "lob-not-null",
    severity: Severity::Blocker,
    sql: include_str!("lob_not_null.sql"),
    found: "DMS writes column {what} in a second step, and the column cannot be null until then: {why}",
    remedy: "use copy.engine native (or auto), which carries it; or give the table another primary key",
    when: query::always,
};
