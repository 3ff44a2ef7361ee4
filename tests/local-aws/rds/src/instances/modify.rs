//! ModifyDBInstance: what is asked, what is refused, what applies at once and what waits.
//!
//! The documented rules: most attributes and the association with a parameter group change at once, whatever
//! ApplyImmediately says; the rest waits for the maintenance window, unless ApplyImmediately is given, which then
//! carries out **everything** that waits. The window never opens by itself here.

use std::sync::Arc;

use local_aws_core::{ApiError, Call, Reply};
use serde_json::{Map, Value};

use super::attributes;
use super::create::refuse_password;
use crate::engine_versions::{self, EngineVersion};
use crate::paging::one;
use crate::parameter_groups::{default_group, refuse_wrong_family};
use crate::quotas::Quota;
use crate::service::Shared;
use crate::state::{AttachedGroup, Instance, State, Status};
use crate::{classes, errors};

/// Members that wait for the window.
const QUEUED: &[&str] = &[
    "AllocatedStorage",
    "BackupRetentionPeriod",
    "CACertificateIdentifier",
    "DBInstanceClass",
    "DBSubnetGroupName",
    "DedicatedLogVolume",
    "EnableIAMDatabaseAuthentication",
    "EngineVersion",
    "Iops",
    "LicenseModel",
    "MultiAZ",
    "ProcessorFeatures",
    "StorageThroughput",
    "StorageType",
];

/// Members that the stand-in cannot carry out: one port for all instances, names that stay.
const NOT_SERVED: &[&str] = &["DBPortNumber", "NewDBInstanceIdentifier", "RotateMasterUserPassword"];

/// What a job has to do.
#[derive(Debug, Default)]
pub(super) struct Work {
    /// The attached group has to be shown as applied.
    pub(super) attaches_group: bool,
    pub(super) password: Option<String>,
    /// Queued members that apply now.
    pub(super) queued: Map<String, Value>,
}

impl Work {
    fn is_empty(&self) -> bool {
        !self.attaches_group && self.password.is_none() && self.queued.is_empty()
    }
}

impl Shared {
    pub(crate) async fn modify_instance(self: &Arc<Self>, call: &Call) -> Reply {
        if let Some(member) = NOT_SERVED.iter().find(|member| call.input.get(**member).is_some()) {
            return Err(ApiError::not_implemented(&format!("ModifyDBInstance {member}")));
        }
        let name = call.required("DBInstanceIdentifier")?;
        let majors = self.around.servers.majors();
        let (resource_id, work, reply) = {
            let mut state = self.state();
            refuse(&state, state.instance(name)?, call, &majors)?;
            let new_group = attached_group(&state, state.instance(name)?, call, &majors)?;
            let instance = state.instance_mut(name)?;
            if let Some(group) = &new_group {
                instance.group = AttachedGroup::attached(group.clone());
            }
            change_attributes(instance, call);
            let mut work = Work { attaches_group: new_group.is_some(), ..Work::default() };
            work.password = call.str("MasterUserPassword").map(str::to_owned);
            work.queued = queue(instance, call);
            let resource_id = instance.resource_id.clone();
            let reply = self.instance_json(&state, state.instance(name)?);
            (resource_id, work, reply)
        };
        let work = self.with_managed_password(call, &resource_id, work)?;
        if !work.is_empty() {
            let (rds, id) = (self.clone(), resource_id.clone());
            self.spawn_job(&resource_id, "modify", async move { rds.modify_job(&id, work).await });
        }
        one("DBInstance", reply)
    }

    fn with_managed_password(&self, call: &Call, resource_id: &str, mut work: Work) -> Result<Work, ApiError> {
        if call.flag("ManageMasterUserPassword") {
            let about = self
                .with_instance(resource_id, |instance| (instance.identifier.clone(), instance.master_username.clone()));
            let (identifier, master) = about.unwrap_or_default();
            let (password, secret) = self.manage_password(&identifier, &master)?;
            self.with_instance(resource_id, |instance| {
                instance.attributes.insert("MasterUserSecret".to_owned(), secret)
            });
            work.password = Some(password);
        }
        Ok(work)
    }
}

fn refuse(state: &State, instance: &Instance, call: &Call, majors: &[u16]) -> Result<(), ApiError> {
    let grows = call.input.get("AllocatedStorage").is_some();
    match instance.status {
        Status::Available | Status::StorageOptimization => {}
        Status::StorageFull if grows => {}
        _ => return Err(errors::instance_state("Database instance is not in available state.")),
    }
    if instance.status == Status::StorageOptimization && grows {
        return Err(errors::instance_state("Storage cannot be modified while the instance is optimizing its storage."));
    }
    if let Some(password) = call.str("MasterUserPassword") {
        refuse_password(password)?;
        if instance.attributes.contains_key("MasterUserSecret") || call.flag("ManageMasterUserPassword") {
            return Err(errors::combination(
                "You can't specify MasterUserPassword for an instance whose password is managed by RDS.",
            ));
        }
    }
    refuse_storage(state, instance, call)?;
    let version = wanted_version(instance, call, majors)?;
    classes::orderable(call.str("DBInstanceClass").unwrap_or(&instance.class), version)?;
    refuse_upgrade(state, instance, version, call)
}

fn refuse_storage(state: &State, instance: &Instance, call: &Call) -> Result<(), ApiError> {
    if let Some(limit) = call.int("MaxAllocatedStorage") {
        refuse_limit(limit, call.int("AllocatedStorage").unwrap_or_else(|| instance.number("AllocatedStorage")), true)?;
    }
    let (current, Some(wanted)) = (instance.number("AllocatedStorage"), call.int("AllocatedStorage")) else {
        return Ok(());
    };
    if wanted < current {
        return Err(errors::combination(format!(
            "Requested storage size ({wanted}) cannot be less than the current storage size ({current})."
        )));
    }
    if wanted > current && wanted * 10 < current * 11 {
        return Err(errors::combination(format!(
            "Requested storage size ({wanted}) must be at least 10 percent more than the current storage size ({current})."
        )));
    }
    state.refuse_beyond(Quota::Storage, wanted - current)
}

/// A limit of storage autoscaling; one that equals the storage switches it off, where that is allowed.
pub(super) fn refuse_limit(limit: i64, allocated: i64, may_be_off: bool) -> Result<(), ApiError> {
    if may_be_off && limit == allocated {
        return Ok(());
    }
    if limit <= allocated {
        return Err(errors::combination("Max storage size must be greater than storage size"));
    }
    if limit * 10 < allocated * 11 {
        return Err(errors::combination("The maximum allocated storage must be increased by at least 10 percent."));
    }
    Ok(())
}

fn wanted_version(instance: &Instance, call: &Call, majors: &[u16]) -> Result<&'static EngineVersion, ApiError> {
    match call.str("EngineVersion") {
        None => Ok(instance.version),
        Some(text) => engine_versions::resolve(Some(text), majors),
    }
}

fn refuse_upgrade(state: &State, instance: &Instance, version: &EngineVersion, call: &Call) -> Result<(), ApiError> {
    if version == instance.version {
        return Ok(());
    }
    if !instance.version.can_become(version) {
        let text = format!("Cannot upgrade postgres from {} to {}", instance.version.text, version.text);
        return Err(errors::combination(text));
    }
    if version.major == instance.version.major {
        return Ok(());
    }
    if !call.flag("AllowMajorVersionUpgrade") {
        let text = "The AllowMajorVersionUpgrade flag must be present when upgrading to a new major version.";
        return Err(errors::combination(text));
    }
    match call.str("DBParameterGroupName") {
        Some(name) => refuse_wrong_family(&state.group(name)?, version),
        None if instance.group.name == default_group(instance.version.major) => Ok(()),
        None => Err(errors::combination(format!(
            "The current DB instance parameter group {} is custom. You must explicitly specify a new DB instance \
             parameter group, either default or custom, for the engine version upgrade.",
            instance.group.name
        ))),
    }
}

/// A group that is attached at once; one that comes with a major upgrade waits for it.
fn attached_group(state: &State, instance: &Instance, call: &Call, majors: &[u16]) -> Result<Option<String>, ApiError> {
    let Some(name) = call.str("DBParameterGroupName") else { return Ok(None) };
    if wanted_version(instance, call, majors)?.major != instance.version.major {
        return Ok(None);
    }
    let group = state.group(name)?;
    refuse_wrong_family(&group, instance.version)?;
    Ok(Some(group.name).filter(|name| *name != instance.group.name))
}

fn change_attributes(instance: &mut Instance, call: &Call) {
    let asked = call.input.as_object().into_iter().flatten();
    for (member, value) in asked.filter(|(member, _)| !QUEUED.contains(&member.as_str())) {
        if let Some((shown, value)) = attributes::shown(member, value) {
            instance.attributes.insert(shown.to_owned(), value);
        }
    }
    if let Some(change) = call.input.get("CloudwatchLogsExportConfiguration") {
        let listed = |value: Option<&Value>| value.and_then(Value::as_array).cloned().unwrap_or_default();
        let mut exported = listed(instance.attributes.get("EnabledCloudwatchLogsExports"));
        exported.retain(|kind| !listed(change.get("DisableLogTypes")).contains(kind));
        exported.extend(listed(change.get("EnableLogTypes")));
        exported.dedup();
        instance.attributes.insert("EnabledCloudwatchLogsExports".to_owned(), exported.into());
    }
    if call.int("MaxAllocatedStorage").is_some_and(|limit| limit == instance.number("AllocatedStorage")) {
        instance.attributes.remove("MaxAllocatedStorage");
    }
    if call.input.get("ManageMasterUserPassword") == Some(&Value::Bool(false)) {
        instance.attributes.remove("MasterUserSecret");
    }
}

/// Queue what differs from what is; the answer is what applies now.
fn queue(instance: &mut Instance, call: &Call) -> Map<String, Value> {
    for member in QUEUED {
        if let Some(value) = call.input.get(*member).filter(|value| differs(instance, member, value)) {
            instance.pending.insert((*member).to_owned(), value.clone());
        }
    }
    // Not shown as pending, but part of a queued upgrade.
    if instance.pending.contains_key("EngineVersion")
        && let Some(group) = call.str("DBParameterGroupName")
    {
        instance.pending.insert("DBParameterGroupName".to_owned(), group.into());
    }
    if call.input.get("MasterUserPassword").is_some() {
        instance.pending.insert("MasterUserPassword".to_owned(), Value::Null);
    }
    if call.flag("ApplyImmediately") {
        return instance.pending.clone();
    }
    // Between two retentions above zero nothing is interrupted, so nothing waits.
    let retention = instance.pending.get("BackupRetentionPeriod").cloned();
    let current = instance.number("BackupRetentionPeriod");
    match retention.filter(|wanted| current > 0 && wanted.as_i64().is_some_and(|days| days > 0)) {
        Some(days) => Map::from_iter([("BackupRetentionPeriod".to_owned(), days)]),
        None => Map::new(),
    }
}

fn differs(instance: &Instance, member: &str, value: &Value) -> bool {
    match member {
        "EngineVersion" => value.as_str() != Some(instance.version.text),
        "DBInstanceClass" => value.as_str() != Some(&instance.class),
        _ => {
            attributes::shown(member, value).is_none_or(|(shown, value)| instance.attributes.get(shown) != Some(&value))
        }
    }
}
