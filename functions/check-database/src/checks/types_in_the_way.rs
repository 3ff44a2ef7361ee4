//! Types that pg_upgrade refuses in stored columns, whatever schema they are in: their values name objects by numbers that
//! an upgrade changes, or their form on disk differs. Types that left PostgreSQL before 12 are not among them: preflight refuses
//! such a source.
//! Source: PostgreSQL, pg_upgrade's checks of user tables (reg*, aclitem); Amazon RDS user guide, "Performing a major version upgrade".

use pgleap_contract::Severity;

use crate::query::{self, Query};

pub(super) const CHECK: Query = Query {
    id: "type-stops-upgrade",
    severity: Severity::Blocker,
    sql: include_str!("types_in_the_way.sql"),
    found: "column {what} holds {why}, which stops the upgrade of the copy",
    remedy: "change the column's type (text keeps the name), or drop the column",
    when: query::always,
};
