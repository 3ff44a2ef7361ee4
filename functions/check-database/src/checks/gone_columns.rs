//! Views over columns of catalogs and statistics views that a newer major does not have: the upgrade cannot make them again.
//! Source: PostgreSQL documentation, release notes of 14 to 18.

use pgleap_contract::Severity;

use crate::query::{self, Query};

pub(super) const CHECK: Query = Query {
    id: "view-on-gone-column",
    severity: Severity::Blocker,
    sql: include_str!("gone_columns.sql"),
    found: "view {what} reads {why}, which the wanted version does not have",
    remedy: "drop it before the run, make it again on the target",
    when: query::always,
};
