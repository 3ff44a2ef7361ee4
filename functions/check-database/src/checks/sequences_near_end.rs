//! Sequences that are nearly exhausted: the cutover advances each a little, so it could reach its end on the target.

use pgleap_contract::Severity;

use crate::query::{self, Query};

pub(super) const CHECK: Query = Query {
    id: "sequence-near-end",
    severity: Severity::Warning,
    sql: include_str!("sequences_near_end.sql"),
    found: "sequence {what} has used {why}",
    remedy: "extend its range, and the type of the column that it feeds, before or after the run",
    when: query::always,
};
