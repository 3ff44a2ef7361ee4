//! Whether the login may create a subscription on the target: RDS gives this right to members of rds_superuser, and from 16 on to members
//! of pg_create_subscription, which an older source does not have yet.
//! Source: PostgreSQL documentation, CREATE SUBSCRIPTION; Amazon RDS user guide, "Understanding the rds_superuser role".

use pgleap_contract::Finding;

use crate::facts::Facts;

const ID: &str = "no-subscription-right";

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    if facts.login.may_subscribe && facts.login.may_create_schema {
        return Vec::new();
    }
    let found = format!("the login {} may not create the subscription on the target", facts.login.name);
    let remedy = "as the master user, GRANT rds_superuser to the login, or use the master user's secret; the login also needs CREATE on the database";
    vec![Finding::blocker(ID, found, remedy)]
}

#[cfg(test)]
mod tests {
    use crate::checks::tests::assert_found_natively;

    #[test]
    fn a_login_that_may_not_subscribe_is_found() {
        assert_found_natively(|_| (), &[]);
        assert_found_natively(|facts| facts.login.may_subscribe = false, &["b no-subscription-right"]);
    }
}
