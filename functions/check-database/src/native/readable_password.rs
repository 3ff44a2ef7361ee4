//! Who can read the password with which the target connects to the source: it is in pg_subscription, and a member of
//! pg_read_all_data can read every column of every table. It belongs to a login that reads the replicated tables and ends with the run.
//! Source: PostgreSQL documentation, "Predefined Roles"; "pg_subscription".

use pgleap_contract::Severity;

use crate::query::{Asked, Query};

pub(super) const CHECK: Query = Query {
    id: "subscription-password-readable",
    severity: Severity::Warning,
    sql: "SELECT quote_ident(r.rolname) AS what, '' AS why FROM pg_roles r
          WHERE r.rolcanlogin AND NOT r.rolsuper AND r.rolname <> current_user AND r.rolname NOT LIKE 'pgleap\\_%'
            AND pg_has_role(r.oid, 'pg_read_all_data', 'USAGE')
          ORDER BY r.rolname",
    found: "{what} is a member of pg_read_all_data and can therefore read the password of the run's copy login on the target until the run ends",
    remedy: "nothing to do if {what} may read all data anyway, because the copy login can do nothing else; otherwise REVOKE pg_read_all_data FROM {what} for the duration of the run",
    when: has_role,
};

fn has_role(asked: &Asked) -> bool {
    asked.major >= 14
}
