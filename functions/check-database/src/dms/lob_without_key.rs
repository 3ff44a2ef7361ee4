//! DMS transfers large values separately from their row and uses the row's key to find it again. AWS accepts a unique key for large
//! values, but not for arrays, and does not say what happens if the whole row is logged. So this check requires a primary key.
//! Source: AWS DMS user guide, "LOB support for source databases"; for arrays "Using a PostgreSQL database as an AWS DMS source".

use pgleap_contract::Severity;

use crate::query::{self, Query};

pub(super) const CHECK: Query = Query {
    id: "lob-without-key",
    severity: Severity::Blocker,
    sql: include_str!("lob_without_key.sql"),
    found: "table {what} has no primary key, and DMS transfers the values of these columns separately from their row: {why}",
    remedy: "",
    when: query::always,
};
