//! Settings with which the source logs the statement that creates the subscription, or its parameters, and with them the password of
//! the login with which it reads the target.
//! Source: as of `subscription-password-logged`, which is about the target's.

use pgleap_contract::Severity;

use crate::native::PASSWORD_LOGGING;
use crate::query::{self, Query};

pub(super) const CHECK: Query = Query {
    id: "fail-back-password-logged",
    severity: Severity::Warning,
    sql: PASSWORD_LOGGING,
    found: "with {what} = {why}, the source logs the password of the login with which it follows the target (failBack); this login can read the replicated tables until failing back has ended",
    remedy: "set {what} to another value in the source's parameter group until then, or make sure that only people who may read those tables can read the source's log and pg_stat_statements",
    when: query::always,
};
