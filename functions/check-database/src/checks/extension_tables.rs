//! Tables that an extension created are not carried: they go live as they were at the snapshot.

use pgleap_contract::Severity;

use crate::query::{self, Query};

pub(super) const CHECK: Query = Query {
    id: "extension-table",
    severity: Severity::Warning,
    sql: include_str!("extension_tables.sql"),
    found: "extension {what} has tables that the run does not carry; they go live as they were at the snapshot: {why}",
    remedy: "make sure that nobody writes to them during the run",
    when: query::always,
};
