//! Schedulers inside the database: their jobs run on the source until the fence and on the target from OPEN on. A job that
//! changes the schema during the run, for example to create partitions, stops the run.

use pgleap_contract::Severity;

use crate::query::{self, Query};

pub(super) const CHECK: Query = Query {
    id: "scheduled-job",
    severity: Severity::Warning,
    sql: include_str!("scheduled_jobs.sql"),
    found: "extension {what} {why}",
    remedy: "make sure that no job changes the schema during the run: create the partitions of the next days beforehand",
    when: query::always,
};
