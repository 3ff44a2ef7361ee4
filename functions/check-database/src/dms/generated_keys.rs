//! Generated columns in a key: the run configures DMS to leave generated columns out, so a change would not identify its row.
//! Source: AWS DMS user guide, "Using a PostgreSQL database as an AWS DMS source", generated columns; the sum is assumed.

use pgleap_contract::Severity;

use crate::query::{self, Query};

pub(super) const CHECK: Query = Query {
    id: "generated-key",
    severity: Severity::Blocker,
    sql: include_str!("generated_keys.sql"),
    found: "column {what} is generated and part of {why}: DMS leaves it out, so a change would not identify its row",
    remedy: "replace it with a plain column that a trigger fills, or choose another primary key",
    when: query::always,
};
