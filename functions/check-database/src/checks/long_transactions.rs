//! A transaction that has been open for ten minutes or more can fail the start of the task.
//! Source: AWS DMS user guide, "Using a PostgreSQL database as an AWS DMS source".

use pgleap_contract::Severity;

use crate::query::{self, Query};

pub(super) const CHECK: Query = Query {
    id: "long-transaction",
    severity: Severity::Warning,
    sql: include_str!("long_transactions.sql"),
    found: "a transaction of {what} has been open for {why}",
    remedy: "end it before the load begins",
    when: query::always,
};
