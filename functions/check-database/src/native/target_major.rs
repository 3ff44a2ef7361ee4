//! Below 16 a subscription belongs to a superuser, or to the owner's login, which the fence keeps out.
//! Source: PostgreSQL 16 release notes, pg_create_subscription; ALTER SUBSCRIPTION .. OWNER TO.

use pgleap_contract::Finding;

use crate::facts::Facts;
use crate::query::target_major;

const ID: &str = "target-too-old-for-native";
/// The first major whose subscriptions may belong to an ordinary login.
const SINCE: i32 = 16;

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let major = target_major(&facts.run.target.version);
    if major >= SINCE {
        return Vec::new();
    }
    let found = format!("the target's version is {major}, and copy.engine native requires version {SINCE} or later");
    vec![Finding::blocker(ID, found, "upgrade to version 16 or later, or use copy.engine dms")]
}

#[cfg(test)]
mod tests {
    use crate::checks::tests::assert_found_natively;

    #[test]
    fn a_target_below_16_is_found() {
        assert_found_natively(|facts| facts.run.target.version = "15.19".to_owned(), &["b target-too-old-for-native"]);
    }
}
