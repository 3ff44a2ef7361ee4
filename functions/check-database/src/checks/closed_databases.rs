//! Databases that refuse connections: pg_upgrade must connect to every database.
//! Source: PostgreSQL, pg_upgrade's check of databases that do not allow connections.

use pgleap_contract::Severity;

use crate::query::{self, Query};

pub(super) const CHECK: Query = Query {
    id: "database-closed",
    severity: Severity::Blocker,
    sql: include_str!("closed_databases.sql"),
    found: "database {what} refuses connections, which stops the upgrade of the copy",
    remedy: "ALTER DATABASE {what} ALLOW_CONNECTIONS true, or drop the database",
    when: query::always,
};
