//! DMS gets a place in the source's own network: its subnets must lie in two availability zones.
//! Source: AWS DMS service model, CreateReplicationSubnetGroup, ReplicationSubnetGroupDoesNotCoverEnoughAZs.

use std::collections::HashSet;

use pgleap_contract::Finding;

use crate::facts::Facts;

const ID: &str = "dms-network";

pub(crate) fn check(facts: &Facts) -> Vec<Finding> {
    let Some(instance) = facts.source.found() else { return Vec::new() };
    let zones: HashSet<_> = instance.subnets.iter().map(|subnet| subnet.zone.as_str()).collect();
    let mut findings = Vec::new();
    if zones.len() < 2 {
        let found = format!("the source's subnet group covers {} availability zone(s), DMS wants two", zones.len());
        findings.push(Finding::blocker(ID, found, "add a subnet of another zone to the source's subnet group"));
    }
    if instance.security_groups.is_empty() {
        let found = "the source has no VPC security group that DMS could share";
        findings.push(Finding::blocker(ID, found, "attach one that allows its own members to connect to the database"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::tests::{assert_found, instance};

    #[test]
    fn a_network_that_dms_cannot_use_is_found() {
        assert_found(|facts| instance(facts).subnets.truncate(1), &["b dms-network"]);
        let one_zone =
            |facts: &mut Facts| instance(facts).subnets.iter_mut().for_each(|subnet| subnet.zone = "a".to_owned());
        assert_found(one_zone, &["b dms-network"]);
        assert_found(|facts| instance(facts).security_groups.clear(), &["b dms-network"]);
    }
}
