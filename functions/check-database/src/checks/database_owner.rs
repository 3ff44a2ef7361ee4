//! The login may revoke CONNECT from everybody, grant it again, and create the run's schema.

use pgleap_contract::Finding;

use crate::facts::Facts;

const ID: &str = "database-owner";

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let login = &facts.login;
    let mut findings = Vec::new();
    if !login.owns_database {
        let found = format!(
            "database {} belongs to {}, and the login {} is not a member of that role",
            facts.database, login.database_owner, login.name
        );
        let remedy = format!(
            "GRANT \"{}\" TO \"{}\", or set source.loginSecret to the owner's secret",
            login.database_owner, login.name
        );
        findings.push(Finding::blocker(ID, found, remedy));
    }
    if !login.may_create_schema {
        let found = format!("the login {} may not create a schema in database {}", login.name, facts.database);
        let remedy = format!("GRANT CREATE ON DATABASE \"{}\" TO \"{}\"", facts.database, login.name);
        findings.push(Finding::blocker(ID, found, remedy));
    }
    findings
}

#[cfg(test)]
mod tests {
    use crate::checks::tests::assert_found;

    #[test]
    fn a_login_that_does_not_own_the_database_is_found() {
        assert_found(|facts| facts.login.owns_database = false, &["b database-owner"]);
        assert_found(|facts| facts.login.may_create_schema = false, &["b database-owner"]);
    }
}
