//! Uniqueness that is checked at commit: DMS does not keep to the source's transactions in a way that it would hold. Deferred
//! foreign keys and constraint triggers are no trouble: they are not on the target while DMS writes there.
//! Source: AWS DMS user guide, "Using a PostgreSQL database as an AWS DMS source", limitations.

use pgleap_contract::Severity;

use crate::query::{self, Query};

pub(super) const CHECK: Query = Query {
    id: "deferred-constraint",
    severity: Severity::Blocker,
    sql: include_str!("deferred_constraints.sql"),
    found: "{why} constraint {what} is INITIALLY DEFERRED, which DMS does not support",
    remedy: "use copy.engine native (or auto); or drop the constraint of the partitioned table and add it again without INITIALLY DEFERRED (ALTER CONSTRAINT cannot change this kind)",
    when: query::always,
};
