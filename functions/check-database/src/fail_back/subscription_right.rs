//! Whether a subscription can be created on the source. Below 16, only a superuser may, and on RDS a member of rds_superuser: the run's
//! login becomes one for this statement, so the login of the input must be able to grant it. From 16 on, the login of the input
//! creates it and transfers it.
//! Source: PostgreSQL documentation, CREATE SUBSCRIPTION; GRANT; Amazon RDS user guide, "Understanding the rds_superuser role".

use pgleap_contract::Finding;

use crate::facts::Facts;

const ID: &str = "fail-back-subscription-right";
/// The first major whose subscriptions may belong to an ordinary login.
const SINCE: i32 = 16;

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let login = &facts.login;
    let found = match facts.major < SINCE {
        true if login.may_grant_superuser => return Vec::new(),
        false if login.may_subscribe && login.may_create_schema => return Vec::new(),
        true => format!(
            "the source runs PostgreSQL {}, where failBack needs rds_superuser to create a subscription, and the login {} may \
             not grant rds_superuser to the run's login",
            facts.major, login.name
        ),
        false => format!("the login {} may not create the subscription on the source that failBack needs", login.name),
    };
    let remedy = format!(
        "as the master user, GRANT rds_superuser TO \"{}\", or use the master user's secret; the login also needs CREATE on the database",
        login.name
    );
    vec![Finding::blocker(ID, found, remedy)]
}

#[cfg(test)]
mod tests {
    use crate::checks::tests::assert_found_with_fail_back;
    use crate::facts::Facts;

    #[test]
    fn below_16_the_login_must_grant_rds_superuser_and_later_it_must_subscribe() {
        let lacking: [fn(&mut Facts); 2] =
            [|facts| facts.login.may_grant_superuser = false, |facts| facts.login.may_subscribe = false];
        for (major, lacks, found) in [(15, 0, true), (15, 1, false), (16, 0, false), (16, 1, true)] {
            let expected: &[&str] = if found { &["b fail-back-subscription-right"] } else { &[] };
            assert_found_with_fail_back(
                |facts| {
                    facts.major = major;
                    lacking[lacks](facts);
                },
                expected,
            );
        }
    }
}
