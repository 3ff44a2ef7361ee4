//! Settings of the database, or of everybody, that DMS's sessions take over and that change what is written. How values are written
//! as text, and how long a session lives, the run sets for its own logins.
//! Source: PostgreSQL documentation, ALTER ROLE (which settings go first); that DMS sets none of these itself is assumed.

use pgleap_contract::Severity;

use crate::query::{self, Query};

pub(super) const CHECK: Query = Query {
    id: "database-setting",
    severity: Severity::Warning,
    sql: include_str!("database_settings.sql"),
    found: "{what} is set for {why}, and DMS's sessions would take it over",
    remedy: "ALTER DATABASE .. RESET it for the time of the run (ALTER ROLE ALL RESET where it is set for everybody)",
    when: query::always,
};
