//! Logins with IAM tokens: a token is valid for the instance's own endpoint and not for the record's name.
//! Source: Amazon RDS user guide, "IAM database authentication".

use pgleap_contract::Severity;

use crate::query::{self, Query};

pub(super) const CHECK: Query = Query {
    id: "iam-login",
    severity: Severity::Warning,
    sql: include_str!("iam_logins.sql"),
    found: "role {what} logs in with IAM tokens, which are valid for the instance's own endpoint and not for the record's name",
    remedy: "give its applications the target's endpoint after the cutover",
    when: query::always,
};
