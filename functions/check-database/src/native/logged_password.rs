//! Settings, which the target takes over, under which the server writes down the statement that creates the subscription, or its
//! parameters, and with them the password of the run's copy login. That login reads the replicated tables and goes with the run.
//! Source: PostgreSQL documentation, "pg_stat_statements", "auto_explain", log_statement; pgaudit's README, pgaudit.log.

use pgleap_contract::Severity;

use crate::query::{self, Query};

pub(super) const CHECK: Query = Query {
    id: "subscription-password-logged",
    severity: Severity::Warning,
    sql: "SELECT s.name AS what, s.setting AS why FROM pg_settings s
          WHERE (s.name, s.setting) IN (('pg_stat_statements.track', 'all'), ('log_statement', 'all'), ('log_min_duration_statement', '0'), ('auto_explain.log_nested_statements', 'on'))
             OR s.name = 'pgaudit.log' AND s.setting ~* '(^|[ ,])(all|ddl|misc)'
          ORDER BY s.name",
    found: "with {what} = {why} the target writes down the password of the run's copy login, which reads the replicated tables and goes with the run",
    remedy: "another value of {what} in the source's parameter group until the run has ended, or let nobody read the target's log and pg_stat_statements who may not read those tables",
    when: query::always,
};
