//! Applications that log in as the owner. The run can fence them, but anybody with this login could undo the fence from another
//! database, and the run holds the password of this login.

use pgleap_contract::Severity;

use crate::query::{self, Query};

pub(super) const CHECK: Query = Query {
    id: "application-as-owner",
    severity: Severity::Warning,
    sql: include_str!("owner_sessions.sql"),
    found: "applications log in as {what}, the owner's login, with which the fence can be undone: {why}",
    remedy: "give the applications their own login, which owns nothing",
    when: query::always,
};
