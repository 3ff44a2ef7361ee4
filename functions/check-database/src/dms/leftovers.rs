//! What an earlier DMS task left behind. Its tables are not carried; its event trigger still records every change of the schema.
//! Source: AWS DMS user guide, "Removing AWS DMS artifacts from a PostgreSQL source database".

use pgleap_contract::Severity;

use crate::query::{self, Query};

pub(super) const CHECK: Query = Query {
    id: "dms-leftover",
    severity: Severity::Warning,
    sql: include_str!("leftovers.sql"),
    found: "{why} {what} is left from an earlier DMS task",
    remedy: "drop it if no other task uses it",
    when: query::always,
};
