//! Nothing waits for the maintenance window that a change of ours could drag along, or that could change the instance
//! under the run.

use pgleap_contract::Finding;

use crate::facts::Facts;

const ID: &str = "pending-modifications";

pub(crate) fn check(facts: &Facts) -> Vec<Finding> {
    let Some(instance) = facts.source.found().filter(|instance| !instance.pending.is_empty()) else { return Vec::new() };
    let found = format!("modifications of {} are pending: {}", facts.run.source.instance, instance.pending.join(", "));
    vec![Finding::blocker(ID, found, "apply or revoke them first")]
}

#[cfg(test)]
mod tests {
    use crate::checks::tests::{assert_found, instance};

    #[test]
    fn a_waiting_modification_is_found() {
        assert_found(|facts| instance(facts).pending = vec!["DBInstanceClass".to_owned()], &["b pending-modifications"]);
    }
}
