//! The login may create the run's two roles and give the DMS role the right to replicate.
//! Source: AWS DMS user guide, "Using an AWS-managed PostgreSQL database as a DMS source" (rds_replication); Amazon RDS
//! user guide, "Restricting password management".

use pgleap_contract::Finding;

use crate::facts::Facts;

const ID: &str = "create-role";

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let login = &facts.login;
    let mut findings = Vec::new();
    if !login.may_create_roles {
        let found = format!("the login {} may not create roles", login.name);
        findings.push(Finding::blocker(
            ID,
            found,
            format!("as the master user: ALTER ROLE \"{}\" CREATEROLE", login.name),
        ));
    }
    if !login.may_set_passwords {
        let found = format!("the login {} may not set passwords (rds.restrict_password_commands)", login.name);
        findings.push(Finding::blocker(
            ID,
            found,
            format!("as the master user: GRANT rds_password TO \"{}\"", login.name),
        ));
    }
    if !login.may_grant_replication {
        let found = format!("the login {} may not grant rds_replication", login.name);
        let remedy = format!("as the master user: GRANT rds_replication TO \"{}\" WITH ADMIN OPTION", login.name);
        findings.push(Finding::blocker(ID, found, remedy));
    }
    findings
}

#[cfg(test)]
mod tests {
    use crate::checks::tests::assert_found;

    #[test]
    fn a_login_that_cannot_make_the_runs_roles_is_found() {
        assert_found(|facts| facts.login.may_create_roles = false, &["b create-role"]);
        assert_found(|facts| facts.login.may_set_passwords = false, &["b create-role"]);
        assert_found(|facts| facts.login.may_grant_replication = false, &["b create-role"]);
    }
}
