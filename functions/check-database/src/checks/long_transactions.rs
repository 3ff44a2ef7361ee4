//! A transaction that has been open for ten minutes or longer can make the start of the task fail.
//! Source: AWS DMS user guide, "Using a PostgreSQL database as an AWS DMS source".

use pgleap_contract::Severity;

use crate::query::{self, Query};

pub(super) const CHECK: Query = Query {
    id: "long-transaction",
    severity: Severity::Warning,
    sql: include_str!("long_transactions.sql"),
    found: "a transaction of {what} has been open for {why}; such transactions can make the start of the copy fail",
    remedy: "end it before the run begins to copy data",
    when: query::always,
};
