//! Settings with which the server logs the statement that creates the subscription, or its parameters, and with them the password of
//! the run's copy login. The target takes these settings over. The login can read the replicated tables, and the run drops it at its end.
//! Source: PostgreSQL documentation, "pg_stat_statements", "auto_explain", log_statement; pgaudit's README, pgaudit.log.

use pgleap_contract::Severity;

use crate::query::{self, Query};

/// Each setting that logs it, and its value.
pub(crate) const PASSWORD_LOGGING: &str = "SELECT s.name AS what, s.setting AS why FROM pg_settings s
    WHERE (s.name, s.setting) IN (('pg_stat_statements.track', 'all'), ('log_statement', 'all'), ('log_min_duration_statement', '0'), ('auto_explain.log_nested_statements', 'on'))
       OR s.name = 'pgaudit.log' AND s.setting ~* '(^|[ ,])(all|ddl|misc)'
    ORDER BY s.name";

pub(super) const CHECK: Query = Query {
    id: "subscription-password-logged",
    severity: Severity::Warning,
    sql: PASSWORD_LOGGING,
    found: "with {what} = {why}, the target logs the password of the run's copy login, which can read the replicated tables until the run drops it at its end",
    remedy: "set {what} to another value in the source's parameter group until the run has ended, or make sure that only people who may read those tables can read the target's log and pg_stat_statements",
    when: query::always,
};
