//! Schedulers inside the database: their jobs run on the source until the fence and on the target from OPEN on. A job that
//! changes the schema meanwhile, as the making of partitions does, stops the run.

use pgleap_contract::Severity;

use crate::query::{self, Query};

pub(super) const CHECK: Query = Query {
    id: "scheduled-job",
    severity: Severity::Warning,
    sql: include_str!("scheduled_jobs.sql"),
    found: "extension {what} {why}",
    remedy: "let no job change the schema during the run: make the partitions of the next days beforehand",
    when: query::always,
};
