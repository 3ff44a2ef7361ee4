//! Role names that PostgreSQL reserves for itself.
//! Source: Amazon RDS user guide, "Performing a major version upgrade", role names that begin with pg_.

use pgleap_contract::Severity;

use crate::query::{self, Query};

pub(super) const CHECK: Query = Query {
    id: "role-name",
    severity: Severity::Blocker,
    sql: include_str!("role_names.sql"),
    found: "role {what} has a name that PostgreSQL reserves for itself, which stops the upgrade of the copy",
    remedy: "ALTER ROLE {what} RENAME TO ..",
    when: query::always,
};
