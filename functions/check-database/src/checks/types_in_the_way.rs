//! Types that pg_upgrade refuses in stored columns, in any schema: their values refer to objects by numbers that an upgrade changes,
//! or their format on disk differs. Types that PostgreSQL removed before version 12 are not among them, because preflight does not
//! accept such a source.
//! Source: PostgreSQL, pg_upgrade's checks of user tables (reg*, aclitem); Amazon RDS user guide, "Performing a major version upgrade".

use pgleap_contract::Severity;

use crate::query::{self, Query};

pub(super) const CHECK: Query = Query {
    id: "type-stops-upgrade",
    severity: Severity::Blocker,
    sql: include_str!("types_in_the_way.sql"),
    found: "column {what} stores values of type {why}, which stops the upgrade of the copy",
    remedy: "change the type of the column (text keeps the names), or drop the column",
    when: query::always,
};
