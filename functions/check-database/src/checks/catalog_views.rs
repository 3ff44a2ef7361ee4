//! Views over catalogs and statistics views whose columns change between major versions stop the upgrade of the copy.
//! Source: Amazon RDS user guide, "Performing a major version upgrade", views that depend on pg_stat_activity.

use pgleap_contract::Severity;

use crate::query::{self, Query};

pub(super) const CHECK: Query = Query {
    id: "view-on-catalog",
    severity: Severity::Warning,
    sql: include_str!("catalog_views.sql"),
    found: "view {what} depends on {why}; if columns of these catalog views change between the versions, RDS refuses the upgrade",
    remedy: "drop the view before the run, and create it again on the target",
    when: query::always,
};
