//! Checks for a copy by logical replication: tables whose rows PostgreSQL cannot identify, and what the login may do.

mod equality;
mod identity;
mod identity_by_index;
mod logged_password;
mod readable_password;
mod subscription_rights;
mod target_major;

use crate::checks::Check;

pub(crate) use logged_password::PASSWORD_LOGGING;

/// In the order in which an operator would ask.
pub(crate) const CHECKS: &[Check] = &[
    Check::Facts(target_major::check),
    Check::Facts(subscription_rights::check),
    Check::Query(&identity::CHECK),
    Check::List(&identity_by_index::CHECK),
    Check::Query(&equality::CHECK),
    Check::Query(&readable_password::CHECK),
    Check::Query(&logged_password::CHECK),
];
