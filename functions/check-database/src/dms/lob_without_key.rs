//! Values that travel apart from their row are found again by its key. AWS takes a unique key for large values, but not for
//! arrays; and what a whole logged row does with them, nobody says: so a primary key it is.
//! Source: AWS DMS user guide, "LOB support for source databases"; for arrays "Using a PostgreSQL database as an AWS DMS source".

use pgleap_contract::Severity;

use crate::query::{self, Query};

pub(super) const CHECK: Query = Query {
    id: "lob-without-key",
    severity: Severity::Blocker,
    sql: include_str!("lob_without_key.sql"),
    found: "table {what} has no primary key, and columns whose values travel apart from their row: {why}",
    remedy: "",
    when: query::always,
};
