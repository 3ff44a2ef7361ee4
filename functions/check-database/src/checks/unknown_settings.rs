//! Settings of a role or a database that a major version on the upgrade path no longer accepts: the upgrade of the copy applies each
//! of them again, and stops at the first one that is refused.
//! Source: PostgreSQL documentation, release notes of 14 (operator_precedence_warning, vacuum_cleanup_index_scale_factor,
//! password_encryption, names of custom settings); compared with `postgres --describe-config` of 13 to 18.

use pgleap_contract::Severity;

use crate::query::Query;

pub(super) const CHECK: Query = Query {
    id: "unknown-setting",
    severity: Severity::Blocker,
    sql: include_str!("unknown_settings.sql"),
    found: "{what}, which PostgreSQL 14 and later do not accept; this stops the upgrade of the copy",
    remedy: "remove the setting: {why}",
    when: |asked| asked.crosses(14),
};
