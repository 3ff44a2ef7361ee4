//! Settings of a role or a database that a major on the way does not take any more: the upgrade of the copy sets each of them
//! again, and stops at the first that is refused.
//! Source: PostgreSQL documentation, release notes of 14 (operator_precedence_warning, vacuum_cleanup_index_scale_factor,
//! password_encryption, names of custom settings); compared with `postgres --describe-config` of 13 to 18.

use pgleap_contract::Severity;

use crate::query::Query;

pub(super) const CHECK: Query = Query {
    id: "unknown-setting",
    severity: Severity::Blocker,
    sql: include_str!("unknown_settings.sql"),
    found: "{what}, which PostgreSQL 14 and later refuse: that stops the upgrade of the copy",
    remedy: "remove the setting: {why}",
    when: |asked| asked.crosses(14),
};
