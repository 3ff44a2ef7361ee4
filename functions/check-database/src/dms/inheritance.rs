//! A table with children that are no partitions: DMS reads the parent with its children's rows, and the children once more.
//! Source: PostgreSQL documentation, "Inheritance"; how DMS reads: AWS DMS user guide ("select * from"); the sum is assumed.

use pgleap_contract::Severity;

use crate::query::{self, Query};

pub(super) const CHECK: Query = Query {
    id: "inheritance",
    severity: Severity::Blocker,
    sql: include_str!("inheritance.sql"),
    found: "table {what} has rows in child tables: {why}",
    remedy: "use copy.engine native (or auto), which carries it; or make it a partitioned table, or part the tables (NO INHERIT)",
    when: query::always,
};
