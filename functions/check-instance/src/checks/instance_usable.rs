//! The source exists, accepts calls and has an endpoint.

use pgleap_contract::Finding;

use crate::facts::{Facts, Seen};

const ID: &str = "instance-usable";

pub(crate) fn check(facts: &Facts) -> Vec<Finding> {
    let name = &facts.run.source.instance;
    let instance = match &facts.source {
        Seen::Found(instance) => instance,
        Seen::Missing => {
            let found = format!("instance {name} does not exist");
            return vec![Finding::blocker(
                ID,
                found,
                "correct source.instance, or start the run in the Region and account of the instance",
            )];
        }
        Seen::Unseen => return Vec::new(),
    };
    let mut findings = Vec::new();
    if instance.status != "available" {
        let found = format!("instance {name} has status {}", instance.status);
        findings.push(Finding::blocker(ID, found, "start the run again when the instance is available"));
    }
    if instance.endpoint.is_none() {
        let found = format!("instance {name} has no endpoint");
        findings.push(Finding::blocker(ID, found, "start the run again when the instance is available"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::tests::{assert_found, instance};

    #[test]
    fn a_source_that_is_not_there_or_takes_no_calls_is_found() {
        assert_found(|facts| facts.source = Seen::Missing, &["b instance-usable"]);
        assert_found(|facts| instance(facts).status = "stopped".to_owned(), &["b instance-usable"]);
        assert_found(|facts| instance(facts).status = "storage-optimization".to_owned(), &["b instance-usable"]);
    }
}
