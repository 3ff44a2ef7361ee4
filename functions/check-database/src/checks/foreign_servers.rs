//! Foreign servers that are defined by an IP address: it may be the instance's own, or reachable only from where the instance is.

use pgleap_contract::Severity;

use crate::query::{self, Query};

pub(super) const CHECK: Query = Query {
    id: "foreign-server-address",
    severity: Severity::Warning,
    sql: include_str!("foreign_servers.sql"),
    found: "foreign server {what} is defined by IP address {why}, which may be the source's own or unreachable from the target",
    remedy: "define it by host name, and make sure that the target can reach it",
    when: query::always,
};
