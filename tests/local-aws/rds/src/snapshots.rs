//! Manual snapshots: real backups of running servers.

use std::sync::Arc;

use local_aws_core::{ApiError, Call, Reply};
use local_aws_postgres::Backup;
use serde_json::{Value, json};

use crate::events::Subject;
use crate::faults::PlannedFault;
use crate::instances::JobFailed;
use crate::names::{identifier, instance_arn, snapshot_arn};
use crate::paging::{Filters, answer, one};
use crate::quotas::Quota;
use crate::service::Shared;
use crate::state::{Snapshot, State, Status};
use crate::{delays, errors, tags};

/// A backup that goes when its snapshot and the last restore of it have let go.
#[derive(Debug)]
pub(crate) struct KeptBackup(Backup);

impl std::ops::Deref for KeptBackup {
    type Target = Backup;

    fn deref(&self) -> &Backup {
        &self.0
    }
}

impl Drop for KeptBackup {
    fn drop(&mut self) {
        // The scratch folder takes what stays.
        if let Err(error) = std::fs::remove_dir_all(self.0.folder()) {
            tracing::debug!(folder = %self.0.folder().display(), %error, "a snapshot's files stay until the end");
        }
    }
}

impl Shared {
    pub(crate) fn create_snapshot(self: &Arc<Self>, call: &Call) -> Reply {
        let name = identifier("DBSnapshotIdentifier", call.required("DBSnapshotIdentifier")?, 255)?;
        let instance_name = call.required("DBInstanceIdentifier")?;
        let mut state = self.state();
        let instance = state.instance_mut(instance_name)?;
        if !matches!(instance.status, Status::Available | Status::StorageOptimization) {
            let text = format!(
                "Cannot create a snapshot because the database instance {instance_name} is not currently in the available state."
            );
            return Err(errors::instance_state(text));
        }
        let resource_id = instance.resource_id.clone();
        self.add_snapshot(&mut state, &resource_id, &name, tags::requested(call, "snapshot"))?;
        if let Some(instance) = state.by_resource_id(&resource_id) {
            instance.status = Status::BackingUp;
        }
        let reply = state.snapshots.get(&name).map(|snapshot| self.snapshot_json(&state, snapshot));
        drop(state);
        let (rds, id) = (self.clone(), resource_id.clone());
        self.spawn_job(&resource_id, "snapshot", async move {
            rds.set_status(&id, Status::BackingUp);
            rds.take_snapshot(&id, &name).await?;
            rds.set_status(&id, Status::Available);
            Ok(())
        });
        one("DBSnapshot", reply.unwrap_or_default())
    }

    /// A final snapshot: made and taken in one.
    pub(crate) async fn snapshot_now(self: &Arc<Self>, resource_id: &str, name: &str) -> Result<(), JobFailed> {
        self.add_snapshot(&mut self.state(), resource_id, name, tags::Tags::new())?;
        self.take_snapshot(resource_id, name).await
    }

    fn add_snapshot(
        &self,
        state: &mut State,
        resource_id: &str,
        name: &str,
        mut tags: tags::Tags,
    ) -> Result<(), ApiError> {
        if state.snapshots.contains_key(name) {
            return Err(errors::snapshot_exists(name));
        }
        state.refuse_beyond(Quota::ManualSnapshots, 1)?;
        let Some(instance) = state.by_resource_id(resource_id) else {
            return Err(errors::instance_not_found(resource_id));
        };
        let snapshot = Snapshot {
            identifier: name.to_owned(),
            backup: None,
            status: "creating",
            instance_identifier: instance.identifier.clone(),
            resource_id: resource_id.to_owned(),
            instance_created_at: instance.created_at,
            created_at: self.now(),
            version: instance.version,
            class: instance.class.clone(),
            master_username: instance.master_username.clone(),
            attributes: instance.attributes.clone(),
        };
        if instance.flag("CopyTagsToSnapshot") {
            let mut inherited = state.tags_of(&instance_arn(&snapshot.instance_identifier));
            inherited.retain(|(key, _)| tags.iter().all(|(requested, _)| requested != key));
            tags.extend(inherited);
        }
        state.tags.insert(snapshot_arn(name), tags);
        state.snapshots.insert(name.to_owned(), snapshot);
        Ok(())
    }

    fn is_snapshot_to_fail(&self, resource_id: &str) -> bool {
        let take = |faults: &mut Vec<PlannedFault>| {
            let place = faults.iter().position(|fault| *fault == PlannedFault::FailSnapshot)?;
            Some(faults.remove(place))
        };
        self.with_instance(resource_id, |instance| take(&mut instance.planned_faults)).flatten().is_some()
    }

    async fn take_snapshot(&self, resource_id: &str, name: &str) -> Result<(), JobFailed> {
        self.tell(Subject::Snapshot, name, 40, "Creating manual snapshot");
        let cluster = self.cluster_of(resource_id)?;
        if self.is_snapshot_to_fail(resource_id) {
            if let Some(snapshot) = self.state().snapshots.get_mut(name) {
                snapshot.status = "failed";
            }
            self.tell(Subject::Snapshot, name, 41, "Manual snapshot failed");
            return Ok(());
        }
        let folder = self.around.servers.scratch_folder().join(format!("snapshot-{:016x}", fastrand::u64(..)));
        let backup = match cluster.backup(&folder).await {
            Ok(backup) => backup,
            Err(error) => {
                if let Some(snapshot) = self.state().snapshots.get_mut(name) {
                    snapshot.status = "failed";
                }
                return Err(JobFailed { error: error.into(), status: Status::Available });
            }
        };
        self.pause(delays::SNAPSHOT).await;
        if let Some(snapshot) = self.state().snapshots.get_mut(name) {
            snapshot.backup = Some(Arc::new(KeptBackup(backup)));
            snapshot.status = "available";
        }
        self.tell(Subject::Snapshot, name, 42, "Manual snapshot created");
        Ok(())
    }

    pub(crate) fn describe_snapshots(&self, call: &Call) -> Reply {
        let filters =
            Filters::of(call, &["db-instance-id", "db-snapshot-id", "dbi-resource-id", "snapshot-type", "engine"])?;
        let state = self.state();
        let named =
            call.str("DBSnapshotIdentifier").map(|name| name.rsplit(':').next().unwrap_or(name).to_ascii_lowercase());
        if let Some(name) = named.as_ref().filter(|name| !state.snapshots.contains_key(*name)) {
            return Err(errors::snapshot_not_found(name));
        }
        let wanted = |snapshot: &&Snapshot| {
            named.as_ref().is_none_or(|name| *name == snapshot.identifier)
                && call
                    .str("DBInstanceIdentifier")
                    .is_none_or(|id| id.eq_ignore_ascii_case(&snapshot.instance_identifier))
                && call.str("DbiResourceId").is_none_or(|id| id == snapshot.resource_id)
                && call.str("SnapshotType").is_none_or(|kind| kind == "manual")
                && filters.allow("db-instance-id", &snapshot.instance_identifier)
                && filters.allow("db-snapshot-id", &snapshot.identifier)
                && filters.allow("dbi-resource-id", &snapshot.resource_id)
                && filters.allow("snapshot-type", "manual")
                && filters.allow("engine", "postgres")
        };
        let found = state.snapshots.values().filter(wanted).map(|snapshot| self.snapshot_json(&state, snapshot));
        answer(call, "DBSnapshots", found.collect())
    }

    pub(crate) fn delete_snapshot(&self, call: &Call) -> Reply {
        let name = call.required("DBSnapshotIdentifier")?.to_ascii_lowercase();
        let mut state = self.state();
        let snapshot = state.snapshots.get(&name).ok_or_else(|| errors::snapshot_not_found(&name))?;
        if snapshot.status == "creating" {
            return Err(errors::snapshot_state(format!("Snapshot {name} is being created.")));
        }
        let mut reply = self.snapshot_json(&state, snapshot);
        reply["Status"] = "deleted".into();
        let removed = state.snapshots.remove(&name);
        state.tags.remove(&snapshot_arn(&name));
        drop(state);
        // Files are removed away from the threads that answer.
        drop(tokio::task::spawn_blocking(move || drop(removed)));
        self.tell(Subject::Snapshot, &name, 41, "Deleted user snapshot");
        one("DBSnapshot", reply)
    }

    fn snapshot_json(&self, state: &State, snapshot: &Snapshot) -> Value {
        let arn = snapshot_arn(&snapshot.identifier);
        let attribute = |member: &str| snapshot.attributes.get(member).cloned().unwrap_or_default();
        let mut json = json!({
            "DBSnapshotIdentifier": snapshot.identifier,
            "DBSnapshotArn": arn,
            "DBInstanceIdentifier": snapshot.instance_identifier,
            "DbiResourceId": snapshot.resource_id,
            "SnapshotCreateTime": snapshot.created_at,
            "OriginalSnapshotCreateTime": snapshot.created_at,
            "InstanceCreateTime": snapshot.instance_created_at,
            "Engine": "postgres",
            "EngineVersion": snapshot.version.text,
            "Status": snapshot.status,
            "PercentProgress": if snapshot.status == "available" { 100 } else { 0 },
            "Port": self.around.port,
            "MasterUsername": snapshot.master_username,
            "SnapshotType": "manual",
            "SnapshotTarget": "region",
            "VpcId": "vpc-0local00000000",
            "LicenseModel": attribute("LicenseModel"),
            "AllocatedStorage": attribute("AllocatedStorage"),
            "StorageType": attribute("StorageType"),
            "AvailabilityZone": attribute("AvailabilityZone"),
            "Encrypted": attribute("StorageEncrypted"),
            "IAMDatabaseAuthenticationEnabled": attribute("IAMDatabaseAuthenticationEnabled"),
            "DedicatedLogVolume": attribute("DedicatedLogVolume"),
            "TagList": tags::to_json(&state.tags_of(&arn)),
        });
        for member in ["Iops", "StorageThroughput", "KmsKeyId"] {
            if let Some(value) = snapshot.attributes.get(member) {
                json[member] = value.clone();
            }
        }
        if let Some(backup) = &snapshot.backup {
            let since = backup.finished_at().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
            json["SnapshotDatabaseTime"] = since.as_secs_f64().into();
        }
        json
    }
}
