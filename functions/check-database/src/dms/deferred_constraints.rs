//! Uniqueness constraints that are checked at commit: DMS does not preserve the source's transactions, so such a constraint could be
//! violated. Deferred foreign keys and constraint triggers are no problem: they do not exist on the target while DMS writes there.
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
