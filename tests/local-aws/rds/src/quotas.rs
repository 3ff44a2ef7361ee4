//! Quotas of the account: what is used of each, where it ends, and what is refused beyond.

use local_aws_core::{ApiError, Reply};
use serde_json::{Value, json};

use crate::errors;
use crate::service::{Rds, Shared};
use crate::state::State;

/// A quota that something of a run counts towards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Quota {
    /// DB instances.
    Instances,
    /// Manual snapshots of instances.
    ManualSnapshots,
    /// Parameter groups, the default ones not counted.
    ParameterGroups,
    /// Allocated storage of all instances, in GiB.
    Storage,
}

/// By name, with the maximum that a new account has.
/// Source: Amazon RDS API reference, AccountQuota (names); user guide, "Quotas in Amazon RDS" (numbers).
const QUOTAS: [(Quota, &str, i64); 4] = [
    (Quota::Instances, "DBInstances", 40),
    (Quota::ManualSnapshots, "ManualSnapshots", 100),
    (Quota::ParameterGroups, "DBParameterGroups", 50),
    (Quota::Storage, "AllocatedStorage", 100_000),
];

impl Rds {
    /// From now on nothing more of this kind can be created: its maximum is what is used.
    pub fn reach_quota(&self, quota: Quota) {
        let mut state = self.shared.state();
        let used = state.used(quota);
        state.maxima.insert(quota, used);
    }

    /// How much of this kind there may be.
    pub fn set_quota(&self, quota: Quota, maximum: i64) {
        self.shared.state().maxima.insert(quota, maximum);
    }
}

impl Shared {
    pub(crate) fn describe_account_attributes(&self) -> Reply {
        let state = self.state();
        let quotas: Vec<Value> = QUOTAS
            .iter()
            .map(|(quota, name, usual)| {
                let maximum = state.maxima.get(quota).unwrap_or(usual);
                json!({ "AccountQuotaName": name, "Used": state.used(*quota), "Max": maximum })
            })
            .collect();
        Ok(json!({ "AccountQuotas": quotas }))
    }
}

impl State {
    fn used(&self, quota: Quota) -> i64 {
        let count = |length: usize| i64::try_from(length).unwrap_or(i64::MAX);
        match quota {
            Quota::Instances => count(self.instances.len()),
            Quota::ManualSnapshots => count(self.snapshots.len()),
            Quota::ParameterGroups => count(self.groups.len()),
            Quota::Storage => self.instances.values().map(|instance| instance.number("AllocatedStorage")).sum(),
        }
    }

    /// Refused where so many more would be too many.
    pub(crate) fn refuse_beyond(&self, quota: Quota, more: i64) -> Result<(), ApiError> {
        let (_, _, usual) = QUOTAS.iter().find(|(known, ..)| *known == quota).expect("every quota is listed");
        let maximum = self.maxima.get(&quota).unwrap_or(usual);
        let excess = self.used(quota) + more - maximum;
        if excess <= 0 {
            return Ok(());
        }
        Err(match quota {
            Quota::Instances => errors::quota("InstanceQuotaExceeded", "DB Instance quota exceeded"),
            Quota::ManualSnapshots => {
                errors::quota("SnapshotQuotaExceeded", format!("Cannot create more than {maximum} manual snapshots"))
            }
            Quota::ParameterGroups => errors::quota(
                "DBParameterGroupQuotaExceeded",
                "Cannot create more than the allowed DB parameter groups",
            ),
            Quota::Storage => errors::quota(
                "StorageQuotaExceeded",
                format!(
                    "The operation cannot be completed. The storage quota for this account has been exceeded by {excess}. \
                     You can use the Service Quotas console to request an increase in total storage for this account"
                ),
            ),
        })
    }
}
