//! Quotas of the account: what is used of each, where it ends, and what is refused beyond.

use local_aws_core::ApiError;
use serde_json::{Value, json};

use super::errors;
use super::records::Records;
use super::service::{Dms, Inner};

/// A quota that something of a run counts towards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Quota {
    /// Replication instances.
    Instances,
    /// Endpoints.
    Endpoints,
    /// Replication subnet groups.
    SubnetGroups,
    /// Replication tasks.
    Tasks,
    /// GiB of all replication instances.
    Storage,
}

/// By name, with the maximum that a new account has.
/// Source: AWS DMS API reference, DescribeAccountAttributes (names); user guide, "Quotas for AWS DMS" (numbers).
const QUOTAS: [(Quota, &str, usize); 5] = [
    (Quota::Instances, "ReplicationInstances", 60),
    (Quota::SubnetGroups, "ReplicationSubnetGroups", 60),
    (Quota::Endpoints, "Endpoints", 1000),
    (Quota::Tasks, "ReplicationTasks", 600),
    (Quota::Storage, "AllocatedStorage", 30_000),
];

impl Dms {
    /// From now on nothing more of this kind can be created: its maximum is what is used.
    pub fn reach_quota(&self, quota: Quota) {
        let mut records = self.inner.records();
        let used = used(&records, quota);
        records.maxima.insert(quota, used);
    }
}

fn used(records: &Records, quota: Quota) -> usize {
    match quota {
        Quota::Instances => records.instances.len(),
        Quota::Endpoints => records.endpoints.len(),
        Quota::SubnetGroups => records.subnet_groups.len(),
        Quota::Tasks => records.tasks.len(),
        Quota::Storage => records.instances.values().map(|instance| instance.storage_gib() as usize).sum(),
    }
}

/// Refused where one more would be too many.
pub(super) fn refuse_one_more(records: &Records, quota: Quota) -> Result<(), ApiError> {
    refuse_beyond(records, quota, 1)
}

/// Refused where so many more would be too many.
pub(super) fn refuse_beyond(records: &Records, quota: Quota, more: usize) -> Result<(), ApiError> {
    let (_, name, usual) = QUOTAS.iter().find(|(known, ..)| *known == quota).expect("every quota is listed");
    let maximum = records.maxima.get(&quota).unwrap_or(usual);
    let text = format!("The quota {name} of {maximum} is exceeded.");
    match (used(records, quota) + more <= *maximum, quota) {
        (true, _) => Ok(()),
        (false, Quota::Storage) => Err(ApiError::new(400, "StorageQuotaExceededFault", text)),
        (false, _) => Err(errors::quota(text)),
    }
}

/// Answer of DescribeAccountAttributes.
pub(super) fn account_attributes(dms: &Inner) -> Value {
    let records = dms.records();
    let quota = |name: &str, used: usize, max: usize| json!({"AccountQuotaName": name, "Used": used, "Max": max});
    let quotas: Vec<Value> = QUOTAS
        .iter()
        .map(|(kind, name, usual)| quota(name, used(&records, *kind), *records.maxima.get(kind).unwrap_or(usual)))
        .collect();
    json!({"AccountQuotas": quotas, "UniqueAccountIdentifier": "cqahfbfy5xee"})
}
