//! What is known of the world, as plain data: checks take nothing else, so their tests need nothing else.

use pgleap_contract::steps::UpgradeHop;
use pgleap_contract::{Finding, Run};
use pgleap_rds::{Maintenance, Proxy};
use pgleap_record::{RecordSet, Zone};

use crate::dms::Offer;

/// One look at a thing that may not exist, or that we may not be allowed to see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Seen<T> {
    Found(T),
    Missing,
    /// The reason is among [`Facts::unseen`].
    Unseen,
}

impl<T> Seen<T> {
    pub(crate) fn found(&self) -> Option<&T> {
        match self {
            Seen::Found(thing) => Some(thing),
            Seen::Missing | Seen::Unseen => None,
        }
    }
}

/// Everything that the checks judge.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    pub(crate) run: Run,
    /// What could not be seen: each is a blocker of its own.
    pub(crate) unseen: Vec<Finding>,
    pub(crate) source: Seen<Instance>,
    /// The way to the wanted version, or why there is none; absent if versions or source could not be seen.
    pub(crate) way: Option<Result<Vec<UpgradeHop>, String>>,
    /// Versions on the way on which the source's class cannot be ordered.
    pub(crate) class_not_orderable: Vec<String>,
    /// What DMS offers in this Region.
    pub(crate) dms: Vec<Offer>,
    pub(crate) secret: Seen<Secret>,
    pub(crate) zone: Seen<Zone>,
    /// Every record set of the record's name, whatever its type.
    pub(crate) records: Vec<RecordSet>,
    /// Records of other names in the zone that lead to the source's endpoint.
    pub(crate) other_records: Vec<String>,
    /// Every RDS Proxy for PostgreSQL of the account in this Region; none if there is no source.
    pub(crate) proxies: Vec<Proxy>,
    /// Other instances with the source's parameter group; none for a default group, which everybody has.
    pub(crate) group_shared_with: Vec<String>,
    /// Maintenance that waits for the source.
    pub(crate) maintenance: Vec<Maintenance>,
    /// Things that exist already and have a name that the run would use.
    pub(crate) taken: Vec<Taken>,
    /// Quotas of the account, of RDS and of the copy engine.
    pub(crate) quotas: Vec<Quota>,
    /// KMS keys that the stack was given.
    pub(crate) keys: Keys,
    /// ARNs of the roles that the stack may pass to RDS; empty if it may pass each.
    pub(crate) passable_roles: Vec<String>,
}

impl Facts {
    /// The database to upgrade.
    pub(crate) fn database(&self) -> Option<&str> {
        self.run.source.database.as_deref().or_else(|| self.source.found()?.database.as_deref())
    }
}

/// The source, as RDS describes it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Instance {
    pub(crate) status: String,
    pub(crate) engine: String,
    pub(crate) version: String,
    pub(crate) class: String,
    pub(crate) database: Option<String>,
    pub(crate) endpoint: Option<(String, u16)>,
    pub(crate) replica_of: Option<String>,
    pub(crate) cluster: Option<String>,
    pub(crate) replicas: Vec<String>,
    /// Names of the modifications that wait.
    pub(crate) pending: Vec<String>,
    /// `ParameterApplyStatus` of its parameter group.
    pub(crate) parameters: String,
    pub(crate) subnets: Vec<Subnet>,
    pub(crate) security_groups: Vec<String>,
    pub(crate) managed_secret: Option<String>,
    pub(crate) iam_authentication: bool,
    pub(crate) arn: String,
    pub(crate) parameter_group: String,
    /// Days for which backups are kept; 0: there are none.
    pub(crate) backup_days: i32,
    pub(crate) multi_az: bool,
    pub(crate) storage_gib: i32,
    /// How far storage autoscaling lets it grow; 0: not at all.
    pub(crate) storage_grows_to: i32,
    /// KMS key of the storage: the operator's own or AWS's.
    pub(crate) storage_key: Option<String>,
    /// .. of Performance Insights, where they are on.
    pub(crate) insights_key: Option<String>,
    /// ARNs of its roles for features.
    pub(crate) feature_roles: Vec<String>,
    /// .. of its role for Enhanced Monitoring, where that is on.
    pub(crate) monitoring_role: Option<String>,
}

/// KMS keys that the functions may use, by the stack's parameters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Keys {
    pub(crate) storage: Option<String>,
    pub(crate) insights: Option<String>,
}

/// A subnet of the source's subnet group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Subnet {
    pub(crate) id: String,
    pub(crate) zone: String,
}

/// The secret of the input.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Secret {
    pub(crate) deleted: bool,
    /// Its password is changed from time to time.
    pub(crate) rotates: bool,
    /// Seconds until that happens at the latest.
    pub(crate) rotates_in: Option<i64>,
}

/// How much of a kind the account may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Quota {
    /// `RDS` or `DMS`.
    pub(crate) service: &'static str,
    /// As the service names it.
    pub(crate) name: String,
    pub(crate) used: i64,
    pub(crate) max: i64,
}

impl Quota {
    pub(crate) fn of(service: &'static str, quota: pgleap_step_kit::Quota) -> Self {
        Self { service, name: quota.name, used: quota.used, max: quota.max }
    }

    pub(crate) fn left(&self) -> i64 {
        self.max - self.used
    }
}

/// Something that has a name of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Taken {
    /// `snapshot`, `parameter group`, ..
    pub(crate) kind: &'static str,
    pub(crate) name: String,
    /// It carries the run's tag.
    pub(crate) ours: bool,
}
