//! If DMS is to be placed in the source's own network, its subnets must be in two Availability Zones. check-database proves the
//! functions' network, because it logs in from there.
//! Source: AWS DMS service model, CreateReplicationSubnetGroup, ReplicationSubnetGroupDoesNotCoverEnoughAZs.

use std::collections::HashSet;

use pgleap_contract::{DmsNetwork, Finding};

use crate::facts::Facts;

const ID: &str = "dms-network";

pub(crate) fn check(facts: &Facts) -> Vec<Finding> {
    let Some(instance) = facts.source.found().filter(|_| facts.run.copy.dms.network == DmsNetwork::Source) else {
        return Vec::new();
    };
    let zones: HashSet<_> = instance.subnets.iter().map(|subnet| subnet.zone.as_str()).collect();
    let mut findings = Vec::new();
    if zones.len() < 2 {
        let found =
            format!("the source's subnet group covers {} Availability Zone(s), and DMS requires two", zones.len());
        findings.push(Finding::blocker(
            ID,
            found,
            "add a subnet in another Availability Zone to the source's subnet group",
        ));
    }
    if instance.security_groups.is_empty() {
        let found = "the source has no VPC security group that DMS could use too";
        findings.push(Finding::blocker(
            ID,
            found,
            "attach a security group that allows its own members to connect to the database",
        ));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::tests::{assert_found, instance};

    #[test]
    fn a_network_that_dms_cannot_use_is_found() {
        let asked = |change: fn(&mut Facts), expected: &[&str]| {
            assert_found(change, &[]);
            let in_the_sources = |facts: &mut Facts| {
                facts.run.copy.dms.network = DmsNetwork::Source;
                change(facts);
            };
            assert_found(in_the_sources, expected);
        };
        asked(|_| (), &[]);
        asked(|facts| instance(facts).subnets.truncate(1), &["b dms-network"]);
        asked(
            |facts| instance(facts).subnets.iter_mut().for_each(|subnet| subnet.zone = "a".to_owned()),
            &["b dms-network"],
        );
        asked(|facts| instance(facts).security_groups.clear(), &["b dms-network"]);
    }
}
