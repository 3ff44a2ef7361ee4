//! DMS writes to partitions themselves, and a value that travels apart in a second step: a row whose partition key is null for a
//! moment belongs to no partition, or to another one.
//! Source: AWS DMS user guide, "LOB support for source databases"; PostgreSQL documentation, "Table Partitioning".

use pgleap_contract::Severity;

use crate::query::{self, Query};

pub(super) const CHECK: Query = Query {
    id: "lob-in-partition-key",
    severity: Severity::Blocker,
    sql: include_str!("lob_partition_key.sql"),
    found: "column {what} is in a partition key and travels apart from its row: its partition would refuse the row while it is null",
    remedy: "use copy.engine native (or auto), which carries it",
    when: query::always,
};
