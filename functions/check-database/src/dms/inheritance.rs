//! Tables with children that are not partitions: DMS reads the rows of the children once with the parent, and once more with the children.
//! Source: PostgreSQL documentation, "Inheritance"; how DMS reads: AWS DMS user guide ("select * from"); the sum is assumed.

use pgleap_contract::Severity;

use crate::query::{self, Query};

pub(super) const CHECK: Query = Query {
    id: "inheritance",
    severity: Severity::Blocker,
    sql: include_str!("inheritance.sql"),
    found: "table {what} has child tables that are not partitions, whose rows DMS would copy twice: {why}",
    remedy: "use copy.engine native (or auto), which carries such tables; or make it a partitioned table; or detach the child tables (NO INHERIT)",
    when: query::always,
};
