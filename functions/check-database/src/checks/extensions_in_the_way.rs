//! Extensions that RDS refuses to upgrade, or does not have on the wanted version.
//! Source: Amazon RDS user guide, "Upgrading PostgreSQL extensions" and "Performing a major version upgrade".

use pgleap_contract::Severity;

use crate::query::{self, Query};

pub(super) const CHECK: Query = Query {
    id: "extension-stops-upgrade",
    severity: Severity::Blocker,
    sql: include_str!("extensions_in_the_way.sql"),
    found: "extension {what} stops the upgrade of the copy: {why}",
    remedy: "update or drop it on the source first, make it again on the target",
    when: query::always,
};
