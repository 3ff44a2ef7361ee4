//! Transaction IDs that run out: the server could stop accepting writes in the middle of a run, and the run's own slot prevents old
//! rows from being vacuumed.
//! Source: PostgreSQL documentation, "Preventing Transaction ID Wraparound Failures".

use pgleap_contract::Severity;

use crate::query::{self, Query};

pub(super) const CHECK: Query = Query {
    id: "wraparound-age",
    severity: Severity::Warning,
    sql: include_str!("wraparound_age.sql"),
    found: "database {what} has not been frozen for {why} million transactions; at 2,000 million, the server stops accepting writes",
    remedy: "VACUUM (FREEZE) its oldest tables first, and find out why autovacuum does not do it",
    when: query::always,
};
