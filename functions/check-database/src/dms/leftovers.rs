//! What an earlier DMS task left behind. The run does not carry its tables. Its event trigger still records every change of the schema.
//! Source: AWS DMS user guide, "Removing AWS DMS artifacts from a PostgreSQL source database".

use pgleap_contract::Severity;

use crate::query::{self, Query};

pub(super) const CHECK: Query = Query {
    id: "dms-leftover",
    severity: Severity::Warning,
    sql: include_str!("leftovers.sql"),
    found: "{why} {what} was left behind by an earlier DMS task",
    remedy: "drop it if no other task uses it",
    when: query::always,
};
