//! Row security: from 15 on, PostgreSQL applies no change to such a table unless the subscription's owner is exempt from its policies.
//! The owner is a login of the run, because the fence keeps the tables' owners out. Earlier majors do not check it.
//! Source: PostgreSQL documentation, "Logical Replication", "Security"; tried on 13, 14, 15, 16 and 18.

use pgleap_contract::Severity;

use crate::query::Query;

pub(super) const CHECK: Query = Query {
    id: "fail-back-row-security",
    severity: Severity::Blocker,
    sql: "SELECT r.name AS what, '' AS why FROM relations r WHERE r.relkind IN ('r', 'p') AND r.relpersistence = 'p' AND r.relrowsecurity",
    found: "table {what} has row security: with failBack, the source could not apply the changes of the target to it",
    remedy: "ALTER TABLE {what} DISABLE ROW LEVEL SECURITY, if your applications do not depend on its policies",
    when: |asked| asked.major >= 15,
};
