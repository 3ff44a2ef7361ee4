//! What there is. Plain data behind one lock; everything that takes time happens outside.

use std::collections::{BTreeMap, HashMap};
use std::net::Ipv4Addr;
use std::sync::Arc;

use local_aws_core::ApiError;
use local_aws_postgres::{Cluster, Outlet, ServerCertificate};
use serde_json::{Map, Value};

use crate::engine_versions::EngineVersion;
use crate::events::Recorded;
use crate::faults::{CopyFault, PlannedFault};
use crate::parameter_groups::{ParameterGroup, Values};
use crate::proxies::Proxy;
use crate::quotas::Quota;
use crate::snapshots::KeptBackup;
use crate::tags::Tags;
use crate::{classes, errors};

/// Everything that RDS remembers.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) instances: BTreeMap<String, Instance>,
    pub(crate) snapshots: BTreeMap<String, Snapshot>,
    /// Custom groups; the default ones need no memory.
    pub(crate) groups: BTreeMap<String, ParameterGroup>,
    pub(crate) tags: HashMap<String, Tags>,
    pub(crate) events: Vec<Recorded>,
    /// Proxies that a test planted.
    pub(crate) proxies: BTreeMap<String, Proxy>,
    /// Quotas that are not what a new account has.
    pub(crate) maxima: BTreeMap<Quota, i64>,
}

/// `DBInstanceStatus`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Available,
    BackingUp,
    Creating,
    Deleting,
    Failed,
    IncompatibleParameters,
    Modifying,
    Rebooting,
    ResettingMasterCredentials,
    StorageFull,
    StorageInitialization,
    StorageOptimization,
    Upgrading,
}

impl Status {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Available => "available",
            Self::BackingUp => "backing-up",
            Self::Creating => "creating",
            Self::Deleting => "deleting",
            Self::Failed => "failed",
            Self::IncompatibleParameters => "incompatible-parameters",
            Self::Modifying => "modifying",
            Self::Rebooting => "rebooting",
            Self::ResettingMasterCredentials => "resetting-master-credentials",
            Self::StorageFull => "storage-full",
            Self::StorageInitialization => "storage-initialization",
            Self::StorageOptimization => "storage-optimization",
            Self::Upgrading => "upgrading",
        }
    }
}

/// A DB instance.
pub(crate) struct Instance {
    pub(crate) identifier: String,
    /// `DbiResourceId`; also tells an instance from a later one of the same name.
    pub(crate) resource_id: String,
    pub(crate) status: Status,
    pub(crate) version: &'static EngineVersion,
    pub(crate) class: String,
    pub(crate) master_username: String,
    pub(crate) created_at: f64,
    pub(crate) host_name: String,
    pub(crate) address: Ipv4Addr,
    /// Where its server connects to when it connects to another.
    pub(crate) outlet: Outlet,
    /// No other instance's server reaches it, and it reaches none of theirs.
    pub(crate) is_cut_off: bool,
    pub(crate) certificate: ServerCertificate,
    pub(crate) group: AttachedGroup,
    /// The parameters that the server runs with; the attached group may say otherwise until a reboot.
    pub(crate) running: Values,
    /// Members of `DBInstance` that are only said back.
    pub(crate) attributes: Map<String, Value>,
    /// `PendingModifiedValues`, by the members of ModifyDBInstance.
    pub(crate) pending: Map<String, Value>,
    /// Present from the first start on.
    pub(crate) cluster: Option<Arc<Cluster>>,
    /// Logs other than the server's own.
    pub(crate) logs: Vec<StoredLog>,
    pub(crate) planned_faults: Vec<PlannedFault>,
    /// Of a restored instance: those that have not struck yet, and those that last.
    pub(crate) copy_faults: Vec<CopyFault>,
    /// Actions of maintenance that wait.
    pub(crate) maintenance: Vec<String>,
    /// End of the last automated backup; none while backups are off.
    pub(crate) backed_up_at: Option<f64>,
    /// Read replicas that a test named.
    pub(crate) replicas: Vec<String>,
    /// Where a restored instance comes from.
    pub(crate) origin: Option<Origin>,
    /// Held by whoever changes the server: one change after the other.
    pub(crate) busy: Arc<tokio::sync::Mutex<()>>,
}

/// What a restored instance knows of the instance that its snapshot was taken of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    /// `DbiResourceId` of that instance.
    pub(crate) resource_id: String,
    /// What `rds_tools` answers on this instance.
    pub(crate) seed: Seed,
}

/// Where the recovery of the copy ended: the position of its source up to which it has everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Seed {
    /// Not known, or not any more: the function answers NULL.
    Unknown,
    /// The function answers this position.
    At(String),
    /// The extension cannot be created.
    NoFunction,
}

/// The association with a parameter group.
#[derive(Debug, Clone)]
pub(crate) struct AttachedGroup {
    pub(crate) name: String,
    /// False from the moment it is attached until the reboot that reads it.
    pub(crate) in_effect: bool,
    /// Something of it waits for a reboot.
    pub(crate) waits_for_reboot: bool,
    /// Changes on their way to the server.
    pub(crate) applying: u32,
    /// It is being replaced by an upgrade.
    pub(crate) upgrading: bool,
}

impl AttachedGroup {
    /// The group that a server was just started with.
    pub(crate) fn in_sync(name: String) -> Self {
        Self { name, in_effect: true, waits_for_reboot: false, applying: 0, upgrading: false }
    }

    /// A group that was attached to a running server.
    pub(crate) fn attached(name: String) -> Self {
        Self { name, in_effect: false, waits_for_reboot: true, applying: 1, upgrading: false }
    }

    /// `ParameterApplyStatus`.
    pub(crate) fn status(&self) -> &'static str {
        match self {
            Self { upgrading: true, .. } => "pending-database-upgrade",
            Self { applying: 1.., .. } => "applying",
            Self { waits_for_reboot: true, .. } => "pending-reboot",
            _ => "in-sync",
        }
    }
}

/// A log file that does not grow any more.
#[derive(Debug, Clone)]
pub(crate) struct StoredLog {
    pub(crate) name: String,
    pub(crate) text: String,
    /// Epoch seconds.
    pub(crate) written_at: f64,
}

/// A DB snapshot.
pub(crate) struct Snapshot {
    pub(crate) identifier: String,
    /// `creating` until there is a backup.
    pub(crate) backup: Option<Arc<KeptBackup>>,
    pub(crate) status: &'static str,
    pub(crate) instance_identifier: String,
    pub(crate) resource_id: String,
    pub(crate) instance_created_at: f64,
    pub(crate) created_at: f64,
    pub(crate) version: &'static EngineVersion,
    pub(crate) class: String,
    pub(crate) master_username: String,
    /// What a restore takes over, by the members of `DBInstance`.
    pub(crate) attributes: Map<String, Value>,
}

impl State {
    pub(crate) fn instance(&self, identifier: &str) -> Result<&Instance, ApiError> {
        let key = identifier.to_ascii_lowercase();
        self.instances.get(&key).ok_or_else(|| errors::instance_not_found(identifier))
    }

    pub(crate) fn instance_mut(&mut self, identifier: &str) -> Result<&mut Instance, ApiError> {
        let key = identifier.to_ascii_lowercase();
        self.instances.get_mut(&key).ok_or_else(|| errors::instance_not_found(identifier))
    }

    /// The instance that a background job works for, unless it was deleted meanwhile.
    pub(crate) fn by_resource_id(&mut self, resource_id: &str) -> Option<&mut Instance> {
        self.instances.values_mut().find(|instance| instance.resource_id == resource_id)
    }
}

impl Instance {
    /// Memory that formulas of parameters count with.
    pub(crate) fn class_of(&self) -> &'static classes::Class {
        classes::find(&self.class).expect("a class is checked before an instance has it")
    }

    /// A flag among the attributes.
    pub(crate) fn flag(&self, member: &str) -> bool {
        self.attributes.get(member).and_then(Value::as_bool).unwrap_or(false)
    }

    /// A number among the attributes.
    pub(crate) fn number(&self, member: &str) -> i64 {
        self.attributes.get(member).and_then(Value::as_i64).unwrap_or(0)
    }
}
