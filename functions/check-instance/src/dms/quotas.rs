//! The quotas of DMS leave room for what the run creates there.
//! Source: AWS DMS API reference, DescribeAccountAttributes.

use pgleap_contract::Finding;

use crate::checks::quotas::{Need, judge};
use crate::facts::Facts;

const NEEDS: [Need; 4] = [
    Need { quota: "ReplicationInstances", what: "replication instances", more: 1 },
    Need { quota: "ReplicationSubnetGroups", what: "replication subnet groups", more: 1 },
    Need { quota: "Endpoints", what: "endpoints", more: 2 },
    Need { quota: "ReplicationTasks", what: "replication tasks", more: 1 },
];

pub(crate) fn check(facts: &Facts) -> Vec<Finding> {
    judge(&facts.quotas, "DMS", &NEEDS)
}
