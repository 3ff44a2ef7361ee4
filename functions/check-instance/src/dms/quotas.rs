//! The quotas of DMS leave room for what the run creates there.
//! Source: AWS DMS API reference, DescribeAccountAttributes.

use aws_sdk_databasemigration::Client;
use pgleap_contract::Finding;
use pgleap_step_kit::prelude::*;

use crate::checks::quotas::{Need, judge};
use crate::facts::{Facts, Quota};

const NEEDS: [Need; 4] = [
    Need { quota: "ReplicationInstances", what: "replication instances", more: 1 },
    Need { quota: "ReplicationSubnetGroups", what: "replication subnet groups", more: 1 },
    Need { quota: "Endpoints", what: "endpoints", more: 2 },
    Need { quota: "ReplicationTasks", what: "replication tasks", more: 1 },
];

pub(crate) fn check(facts: &Facts) -> Vec<Finding> {
    judge(&facts.quotas, "DMS", &NEEDS)
}

pub(super) async fn quotas(client: &Client) -> Result<Vec<Quota>, AwsError> {
    let answer = client.describe_account_attributes().send().await.doing("describe account attributes of DMS")?;
    let quotas = answer.account_quotas().iter();
    Ok(quotas
        .filter_map(|quota| {
            let name = quota.account_quota_name()?.to_owned();
            Some(Quota { service: "DMS", name, used: quota.used(), max: quota.max() })
        })
        .collect())
}
