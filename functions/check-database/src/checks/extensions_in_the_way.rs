//! Extensions that RDS refuses to upgrade, or does not offer on the requested version.
//! Source: Amazon RDS user guide, "Upgrading PostgreSQL extensions" and "Performing a major version upgrade".

use pgleap_contract::Severity;

use crate::query::{self, Query};

pub(super) const CHECK: Query = Query {
    id: "extension-stops-upgrade",
    severity: Severity::Blocker,
    sql: include_str!("extensions_in_the_way.sql"),
    found: "extension {what} stops the upgrade of the copy: {why}",
    remedy: "update it on the source first, or drop it there and create it again on the target",
    when: query::always,
};
