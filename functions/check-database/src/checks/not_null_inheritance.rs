//! Child tables that take a null where their parent does not: 18 keeps NOT NULL as a constraint that is inherited.
//! Source: PostgreSQL documentation, release notes of 18; pg_upgrade's check of NOT NULL constraint inconsistencies.

use pgleap_contract::Severity;

use crate::query::Query;

pub(super) const CHECK: Query = Query {
    id: "not-null-inheritance",
    severity: Severity::Blocker,
    sql: include_str!("not_null_inheritance.sql"),
    found: "column {what} may be null, but is NOT NULL in parent {why}: that stops the upgrade of the copy",
    remedy: "ALTER TABLE .. ALTER COLUMN .. SET NOT NULL on the child",
    when: |asked| asked.crosses(18),
};
