//! Replication by an extension: its apply workers run as a superuser, so the fence can neither end them nor keep them out.
//! The source would take writes after the drain, and the copy would start the same worker against the same provider.

use pgleap_contract::Severity;

use crate::query::{self, Query};

pub(super) const CHECK: Query = Query {
    id: "extension-replicates",
    severity: Severity::Blocker,
    sql: include_str!("extension_replication.sql"),
    found: "{what} has entries: {why}",
    remedy: "drop the subscription or leave the replication group before the run, and set it up again on the target",
    when: query::always,
};
