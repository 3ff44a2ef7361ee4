//! The functions may pass the source's roles to the copy: its roles for features and its role for monitoring. Without this permission,
//! RDS refuses the call hours later.
//! Source: IAM user guide, "Grant a user permissions to pass a role to an AWS service"; service authorization reference,
//! AddRoleToDBInstance and ModifyDBInstance.

use pgleap_contract::Finding;

use crate::facts::{Facts, Instance};

const ID: &str = "passed-roles";

pub(crate) fn check(facts: &Facts) -> Vec<Finding> {
    let Some(instance) = facts.source.found() else { return Vec::new() };
    // A stack without such a list may pass every role to RDS.
    if facts.passable_roles.is_empty() {
        return Vec::new();
    }
    features(facts, instance).chain(monitoring(facts, instance)).collect()
}

/// If such a role is missing, the step that attaches it to the copy ends the run.
fn features<'a>(facts: &'a Facts, instance: &'a Instance) -> impl Iterator<Item = Finding> {
    let missing = instance.feature_roles.iter().filter(|role| !facts.passable_roles.contains(role));
    missing.map(|role| {
        let found =
            format!("{} has role {role} for a feature, and the stack may not pass this role to the copy", name(facts));
        Finding::blocker(ID, found, remedy(role))
    })
}

/// A run goes on without monitoring.
fn monitoring(facts: &Facts, instance: &Instance) -> Option<Finding> {
    let role = instance.monitoring_role.as_ref().filter(|role| !facts.passable_roles.contains(role))?;
    let found = format!(
        "{} is monitored with role {role}, and the stack may not pass this role to the copy: Enhanced Monitoring stays off on the target",
        name(facts)
    );
    Some(Finding::warning(ID, found, remedy(role)))
}

fn name(facts: &Facts) -> &str {
    &facts.run.source.instance
}

fn remedy(role: &str) -> String {
    format!("add {role} to the stack's parameter PassableRoleArns and deploy the stack again")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::tests::{assert_found, good, instance};

    const IMPORTS: &str = "arn:aws:iam::111122223333:role/imports";
    const WATCHES: &str = "arn:aws:iam::111122223333:role/watches";

    #[test]
    fn a_role_that_the_stack_may_not_pass_is_found() {
        let cases: [(&[&str], &[&str]); 4] = [
            (&[], &[]),
            (&[IMPORTS, WATCHES], &[]),
            (&[IMPORTS], &["w passed-roles"]),
            (&["arn:aws:iam::111122223333:role/another"], &["b passed-roles", "w passed-roles"]),
        ];
        for (passable, expected) in cases {
            assert_found(
                |facts| {
                    instance(facts).feature_roles = vec![IMPORTS.to_owned()];
                    instance(facts).monitoring_role = Some(WATCHES.to_owned());
                    facts.passable_roles = passable.iter().map(|role| (*role).to_owned()).collect();
                },
                expected,
            );
        }
    }

    #[test]
    fn the_sentence_names_the_role_and_the_parameter() {
        let mut facts = good();
        instance(&mut facts).feature_roles = vec![IMPORTS.to_owned()];
        facts.passable_roles = vec![WATCHES.to_owned()];

        let found = check(&facts).remove(0);

        assert!(found.found.contains(IMPORTS), "{}", found.found);
        assert!(found.remedy.contains(IMPORTS) && found.remedy.contains("PassableRoleArns"), "{}", found.remedy);
    }
}
