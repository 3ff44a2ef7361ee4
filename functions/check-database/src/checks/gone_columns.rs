//! Views over columns of catalogs or statistics views that a newer major version does not have: the upgrade cannot create them again.
//! Source: PostgreSQL documentation, release notes of 14 to 18.

use pgleap_contract::Severity;

use crate::query::{self, Query};

pub(super) const CHECK: Query = Query {
    id: "view-on-gone-column",
    severity: Severity::Blocker,
    sql: include_str!("gone_columns.sql"),
    found: "view {what} reads {why}, which the requested version does not have; this stops the upgrade of the copy",
    remedy: "drop the view before the run, and create it again on the target without these columns",
    when: query::always,
};
