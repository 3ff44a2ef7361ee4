//! Tables that an extension made are not carried: they go live as they were at the snapshot.

use pgleap_contract::Severity;

use crate::query::{self, Query};

pub(super) const CHECK: Query = Query {
    id: "extension-table",
    severity: Severity::Warning,
    sql: include_str!("extension_tables.sql"),
    found: "extension {what} has tables of its own, which go live as of the snapshot: {why}",
    remedy: "make sure that nobody writes to them during the run",
    when: query::always,
};
