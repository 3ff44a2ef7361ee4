//! Whether the login may let DMS suppress triggers and foreign keys on the target while DMS writes. If not, the run drops them and
//! creates them again under the fence, without validating them. It validates them after OPEN.
//! Source: PostgreSQL documentation, GRANT .. ON PARAMETER (15 and later).

use pgleap_contract::Finding;

use crate::facts::Facts;

const ID: &str = "replica-role";

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    // The right exists from 15 on. An older source cannot say what its login may do on the target.
    if facts.login.may_grant_replica_role || facts.major < 15 {
        return Vec::new();
    }
    let found = format!("the login {} may not let DMS set session_replication_role", facts.login.name);
    vec![Finding::warning(
        ID,
        found,
        "nothing to do: the run drops triggers and foreign keys on the target and creates them again under the fence",
    )]
}

#[cfg(test)]
mod tests {
    use crate::checks::tests::assert_found;

    #[test]
    fn a_login_that_cannot_hand_the_replica_role_on_is_said() {
        assert_found(|facts| facts.login.may_grant_replica_role = false, &["w replica-role"]);
        assert_found(|facts| (facts.major, facts.login.may_grant_replica_role) = (13, false), &[]);
    }
}
