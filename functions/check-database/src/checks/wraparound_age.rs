//! Transaction numbers that run out: a server that stops taking writes in the middle of a run helps nobody, and the run's own slot
//! keeps old rows from being cleaned away.
//! Source: PostgreSQL documentation, "Preventing Transaction ID Wraparound Failures".

use pgleap_contract::Severity;

use crate::query::{self, Query};

pub(super) const CHECK: Query = Query {
    id: "wraparound-age",
    severity: Severity::Warning,
    sql: include_str!("wraparound_age.sql"),
    found: "database {what} has not been frozen for {why} million transactions; at 2,000 million the server stops taking writes",
    remedy: "VACUUM (FREEZE) its oldest tables first, and find out what keeps autovacuum from it",
    when: query::always,
};
