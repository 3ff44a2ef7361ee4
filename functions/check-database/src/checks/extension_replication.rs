//! Replication by an extension: its apply workers run as a superuser, so the fence can neither end them nor keep them out.
//! The source would take writes after the drain, and the copy would start the same worker against the same provider.

use pgleap_contract::Severity;

use crate::query::{self, Query};

pub(super) const CHECK: Query = Query {
    id: "extension-replicates",
    severity: Severity::Blocker,
    sql: include_str!("extension_replication.sql"),
    found: "{why} (table {what} is not empty), and the fence cannot stop its writes",
    remedy: "drop the subscription or leave the group before the run, and set it up again on the target",
    when: query::always,
};
