//! Nothing waits for the maintenance window that a change of ours could drag along, or that could change the instance
//! under the run.

use pgleap_contract::Finding;

use crate::facts::Facts;

const ID: &str = "pending-modifications";
const PARAMETERS: &str = "pending-parameters";

pub(crate) fn check(facts: &Facts) -> Vec<Finding> {
    let Some(instance) = facts.source.found() else { return Vec::new() };
    let name = &facts.run.source.instance;
    let mut findings = Vec::new();
    if !instance.pending.is_empty() {
        let found = format!("modifications of {name} are pending: {}", instance.pending.join(", "));
        findings.push(Finding::blocker(ID, found, "apply or revoke them first"));
    }
    if instance.parameters == "pending-reboot" {
        let found =
            format!("parameters of {name} wait for a reboot; if the run has to reboot it, they take hold as well");
        findings.push(Finding::warning(PARAMETERS, found, "reboot it yourself first, or take those changes back"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use crate::checks::tests::{assert_found, instance};

    #[test]
    fn a_waiting_modification_is_found() {
        assert_found(|facts| instance(facts).parameters = "pending-reboot".to_owned(), &["w pending-parameters"]);
        assert_found(
            |facts| instance(facts).pending = vec!["DBInstanceClass".to_owned()],
            &["b pending-modifications"],
        );
    }
}
