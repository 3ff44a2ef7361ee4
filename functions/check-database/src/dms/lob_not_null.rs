//! DMS writes a value that travels apart in a second step, so the column must be null for a moment. Its NOT NULL is lifted
//! on the target for that time, and checks are set aside, but not everything that refuses a null can be.
//! Source: AWS DMS user guide, "LOB support for source databases"; what cannot be lifted: observed on PostgreSQL 13, 15, 18.

use pgleap_contract::Severity;

use crate::query::{self, Query};

pub(super) const CHECK: Query = Query {
    id: "lob-not-null",
    severity: Severity::Blocker,
    sql: include_str!("lob_not_null.sql"),
    found: "column {what} travels apart from its row and must not be null: {why}",
    remedy: "use copy.engine native (or auto), which carries it; or give the table another primary key",
    when: query::always,
};
