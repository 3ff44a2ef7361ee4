//! DMS writes a large value in a second step. Until then its column is null, and a unique index whose predicate or expressions depend on
//! it judges a row that the source never had: it may treat two rows as equal that are not.
//! Source: AWS DMS user guide, "LOB support for source databases"; that a unique index then refuses the row: observed on PostgreSQL.

use pgleap_contract::Severity;

use crate::query::{self, Query};

pub(super) const CHECK: Query = Query {
    id: "lob-in-unique-index",
    severity: Severity::Blocker,
    sql: include_str!("lob_unique.sql"),
    found: "unique index {what} would refuse rows that DMS writes in two steps: {why}",
    remedy: "",
    when: query::always,
};
