//! DMS writes directly to partitions, and it writes a large value in a second step. Until then, the partition key is null, and the row
//! belongs to no partition, or to another one.
//! Source: AWS DMS user guide, "LOB support for source databases"; PostgreSQL documentation, "Table Partitioning".

use pgleap_contract::Severity;

use crate::query::{self, Query};

pub(super) const CHECK: Query = Query {
    id: "lob-in-partition-key",
    severity: Severity::Blocker,
    sql: include_str!("lob_partition_key.sql"),
    found: "column {what} is in a partition key, and DMS writes its value in a second step: until then it is null, and the partition would refuse the row",
    remedy: "use copy.engine native (or auto), which carries such tables",
    when: query::always,
};
