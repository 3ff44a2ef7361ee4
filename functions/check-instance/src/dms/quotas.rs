//! The quotas of DMS leave room for what the run creates there.
//! Source: AWS DMS API reference, DescribeAccountAttributes.

use pgleap_contract::Finding;

use crate::checks::quotas::{Need, judge};
use crate::facts::Facts;

/// GiB of the smallest replication instance. How much a large database takes on top is known only later, when its tables were counted.
const LEAST_STORAGE: i64 = 50;
const NEEDS: [Need; 5] = [
    Need { quota: "ReplicationInstances", what: "replication instances", more: 1 },
    Need { quota: "ReplicationSubnetGroups", what: "replication subnet groups", more: 1 },
    Need { quota: "Endpoints", what: "endpoints", more: 2 },
    Need { quota: "ReplicationTasks", what: "replication tasks", more: 1 },
    Need { quota: "AllocatedStorage", what: "GiB of storage of replication instances", more: LEAST_STORAGE },
];

pub(crate) fn check(facts: &Facts) -> Vec<Finding> {
    judge(&facts.quotas, "DMS", &NEEDS)
}

#[cfg(test)]
mod tests {
    use pgleap_contract::replication_size::storage_gib;
    use pgleap_contract::steps::DatabaseSize;

    use super::*;

    #[test]
    fn the_least_storage_is_that_of_an_empty_database() {
        let empty = DatabaseSize { bytes: 0, tables: 0, sequences: 0 };

        assert_eq!(LEAST_STORAGE, i64::from(storage_gib(&empty)));
    }
}
