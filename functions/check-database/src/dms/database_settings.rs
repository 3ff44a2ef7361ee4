//! Settings of the database, or of all roles, that also apply to the DMS sessions and change what they write. For settings that
//! determine how values are written as text, and how long a session lives, the run sets its own values on its logins.
//! Source: PostgreSQL documentation, ALTER ROLE (which settings go first); that DMS sets none of these itself is assumed.

use pgleap_contract::Severity;

use crate::query::{self, Query};

pub(super) const CHECK: Query = Query {
    id: "database-setting",
    severity: Severity::Warning,
    sql: include_str!("database_settings.sql"),
    found: "{what} is set for {why}, and it would apply to the DMS sessions too",
    remedy: "ALTER DATABASE .. RESET it for the duration of the run (ALTER ROLE ALL RESET if it is set for all roles)",
    when: query::always,
};
