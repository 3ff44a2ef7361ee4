//! Sequences that are nearly used up: the cutover puts them a little further, and the target would be the one to fail.

use pgleap_contract::Severity;

use crate::query::{self, Query};

pub(super) const CHECK: Query = Query {
    id: "sequence-near-end",
    severity: Severity::Warning,
    sql: include_str!("sequences_near_end.sql"),
    found: "sequence {what} has used {why}",
    remedy: "widen it, and the column that it feeds, before or after the run",
    when: query::always,
};
