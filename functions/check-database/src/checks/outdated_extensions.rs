//! Extensions that are older than the version that the server offers: an upgrade of the server does not update them.
//! Source: Amazon RDS user guide, "Upgrading PostgreSQL extensions".

use pgleap_contract::Severity;

use crate::query::{self, Query};

pub(super) const CHECK: Query = Query {
    id: "extension-outdated",
    severity: Severity::Warning,
    sql: include_str!("outdated_extensions.sql"),
    found: "extension {what} can be updated to {why}; an upgrade of the server does not update it",
    remedy: "ALTER EXTENSION .. UPDATE before the run, or after it on the target",
    when: query::always,
};
