//! Nothing waits for the maintenance window that a modification by the run could apply as well, or that could change the
//! instance during the run.

use pgleap_contract::Finding;

use crate::facts::Facts;

const ID: &str = "pending-modifications";
const PARAMETERS: &str = "pending-parameters";

pub(crate) fn check(facts: &Facts) -> Vec<Finding> {
    let Some(instance) = facts.source.found() else { return Vec::new() };
    let name = &facts.run.source.instance;
    let mut findings = Vec::new();
    if !instance.pending.is_empty() {
        let found = format!("{name} has pending modifications: {}", instance.pending.join(", "));
        findings.push(Finding::blocker(ID, found, "apply or cancel them first"));
    }
    if instance.parameters == "pending-reboot" {
        let found = format!(
            "parameter changes of {name} are waiting for a reboot; if the run reboots it, they take effect too"
        );
        findings.push(Finding::warning(PARAMETERS, found, "reboot the instance before the run, or undo these changes"));
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
