//! Foreign servers by address: an address may be one of this very instance, or reachable from its place alone.

use pgleap_contract::Severity;

use crate::query::{self, Query};

pub(super) const CHECK: Query = Query {
    id: "foreign-server-address",
    severity: Severity::Warning,
    sql: include_str!("foreign_servers.sql"),
    found: "foreign server {what} is named by address {why}",
    remedy: "name it by host name, and make sure that the target reaches it",
    when: query::always,
};
