//! Database names with characters that RDS's upgrade does not take.
//! Source: Amazon RDS user guide, the precheck's log: "The database name contains characters that are not supported"; which, it
//! shows by example only.

use pgleap_contract::Severity;

use crate::query::{self, Query};

pub(super) const CHECK: Query = Query {
    id: "database-name",
    severity: Severity::Blocker,
    sql: include_str!("database_names.sql"),
    found: "database {what} has a name with quotes or other characters that RDS's upgrade refuses",
    remedy: "ALTER DATABASE .. RENAME TO ..",
    when: query::always,
};
