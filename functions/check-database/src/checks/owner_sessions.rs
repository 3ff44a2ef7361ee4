//! Applications that log in as the owner. The run can fence them, but whoever has that login could also undo the fence from
//! another database, and its password is in the run's hands.

use pgleap_contract::Severity;

use crate::query::{self, Query};

pub(super) const CHECK: Query = Query {
    id: "application-as-owner",
    severity: Severity::Warning,
    sql: include_str!("owner_sessions.sql"),
    found: "applications connect as {what}, the owner's login: {why}",
    remedy: "give applications a login of their own that owns nothing",
    when: query::always,
};
