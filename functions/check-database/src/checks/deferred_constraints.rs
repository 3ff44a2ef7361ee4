//! Constraints that are checked at commit: DMS does not keep to the source's transactions in a way that they would hold.
//! Source: AWS DMS user guide, "Using a PostgreSQL database as an AWS DMS source", limitations.

use pgleap_contract::Severity;

use crate::query::{self, Query};

pub(super) const CHECK: Query = Query {
    id: "deferred-constraint",
    severity: Severity::Blocker,
    sql: include_str!("deferred_constraints.sql"),
    found: "constraint {what} is INITIALLY DEFERRED, which DMS does not support",
    remedy: "ALTER TABLE .. ALTER CONSTRAINT .. INITIALLY IMMEDIATE for the time of the run",
    when: query::always,
};
