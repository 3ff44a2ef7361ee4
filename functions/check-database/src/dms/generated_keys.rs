//! Generated columns in a key: DMS is told to leave generated columns out, and then a change does not name its row.
//! Source: AWS DMS user guide, "Using a PostgreSQL database as an AWS DMS source", generated columns; the sum is assumed.

use pgleap_contract::Severity;

use crate::query::{self, Query};

pub(super) const CHECK: Query = Query {
    id: "generated-key",
    severity: Severity::Blocker,
    sql: include_str!("generated_keys.sql"),
    found: "column {what} is generated and part of {why}: without it a change does not name its row",
    remedy: "make it a plain column with a trigger, or choose another primary key",
    when: query::always,
};
