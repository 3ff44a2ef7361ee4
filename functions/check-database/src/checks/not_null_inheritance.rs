//! Child tables that allow nulls where their parent does not: PostgreSQL 18 keeps NOT NULL as a constraint that child tables inherit.
//! Source: PostgreSQL documentation, release notes of 18; pg_upgrade's check of NOT NULL constraint inconsistencies.

use pgleap_contract::Severity;

use crate::query::Query;

pub(super) const CHECK: Query = Query {
    id: "not-null-inheritance",
    severity: Severity::Blocker,
    sql: include_str!("not_null_inheritance.sql"),
    found: "column {what} allows nulls, but it is NOT NULL in parent table {why}: this stops the upgrade of the copy",
    remedy: "ALTER TABLE .. ALTER COLUMN .. SET NOT NULL on the child table",
    when: |asked| asked.crosses(18),
};
