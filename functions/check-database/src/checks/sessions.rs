//! The login may end the applications' sessions: otherwise, the run cannot fence the source. It should also see what they do.
//! Source: PostgreSQL documentation, "Predefined Roles"; on RDS rds_superuser has both.

use pgleap_contract::Finding;

use crate::facts::Facts;

const END: &str = "end-sessions";
const SEE: &str = "see-sessions";

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let login = &facts.login;
    let grant = |role: &str| format!("as the master user: GRANT {role} TO \"{}\"", login.name);
    let mut findings = Vec::new();
    if !login.may_end_sessions {
        let found = format!("the login {} may not end sessions of other roles", login.name);
        findings.push(Finding::blocker(END, found, grant("pg_signal_backend")));
    }
    if !login.may_see_sessions {
        let found = format!("the login {} cannot see how long transactions of other roles have been open", login.name);
        findings.push(Finding::warning(SEE, found, grant("pg_monitor")));
    }
    findings
}

#[cfg(test)]
mod tests {
    use crate::checks::tests::assert_found;

    #[test]
    fn a_login_that_could_not_fence_is_found() {
        assert_found(|facts| facts.login.may_end_sessions = false, &["b end-sessions"]);
        assert_found(|facts| facts.login.may_see_sessions = false, &["w see-sessions"]);
    }
}
