//! Database names with characters that the RDS upgrade does not accept.
//! Source: Amazon RDS user guide, the precheck's log: "The database name contains characters that are not supported"; which, it
//! shows by example only.

use pgleap_contract::Severity;

use crate::query::{self, Query};

pub(super) const CHECK: Query = Query {
    id: "database-name",
    severity: Severity::Blocker,
    sql: include_str!("database_names.sql"),
    found: "the name of database {what} contains quotes or other characters that the RDS upgrade does not accept",
    remedy: "ALTER DATABASE .. RENAME TO ..",
    when: query::always,
};
