//! RestoreDBInstanceFromDBSnapshot: a copy of the snapshot's files under a new name, address and resource id.

use std::sync::Arc;

use local_aws_core::{Call, Reply};
use local_aws_postgres::Shutdown;

use serde_json::Value;

use super::attributes;
use super::create::NewInstance;
use super::jobs::JobFailed;
use crate::faults::{CopyFault, PlannedFault};
use crate::names::{identifier, snapshot_arn};
use crate::paging::one;
use crate::service::Shared;
use crate::snapshots::KeptBackup;
use crate::state::{Origin, Seed, Status};
use crate::{classes, delays, errors, rds_tools, roles, tags};

impl Shared {
    pub(crate) async fn restore_instance(self: &Arc<Self>, call: &Call) -> Reply {
        let identifier = identifier("DBInstanceIdentifier", call.required("DBInstanceIdentifier")?, 63)?;
        if let Some(engine) = call.str("Engine").filter(|engine| *engine != "postgres") {
            return Err(errors::combination(format!("A postgres snapshot cannot be restored as {engine}.")));
        }
        let snapshot_name = call.required("DBSnapshotIdentifier")?;
        let snapshot_name = snapshot_name.rsplit(':').next().unwrap_or(snapshot_name).to_ascii_lowercase();
        let (new, backup) = self.copy_of_snapshot(call, identifier, &snapshot_name)?;

        let resource_id = self.add_instance(new)?;
        let managed = match call.flag("ManageMasterUserPassword") {
            true => Some(self.manage_restored(&resource_id)?),
            false => None,
        };
        let (rds, id) = (self.clone(), resource_id.clone());
        self.spawn_job(
            &resource_id,
            "restore",
            async move { rds.restore_job(&id, &backup, &snapshot_name, managed).await },
        );
        let state = self.state();
        let instance = state.instances.values().find(|instance| instance.resource_id == resource_id);
        one("DBInstance", instance.map_or(Value::Null, |instance| self.instance_json(&state, instance)))
    }

    fn copy_of_snapshot(
        &self,
        call: &Call,
        identifier: String,
        snapshot_name: &str,
    ) -> Result<(NewInstance, Arc<KeptBackup>), local_aws_core::ApiError> {
        let group = {
            let state = self.state();
            let snapshot =
                state.snapshots.get(snapshot_name).ok_or_else(|| errors::snapshot_not_found(snapshot_name))?;
            snapshot.version
        };
        let group = self.group_for(call, group)?;
        let state = self.state();
        let snapshot = state.snapshots.get(snapshot_name).ok_or_else(|| errors::snapshot_not_found(snapshot_name))?;
        let Some(backup) = snapshot.backup.clone().filter(|_| snapshot.status == "available") else {
            let text = format!("Cannot restore from snapshot {snapshot_name}: it is in state {}.", snapshot.status);
            return Err(errors::snapshot_state(text));
        };
        let class = call.str("DBInstanceClass").unwrap_or(&snapshot.class).to_owned();
        classes::orderable(&class, snapshot.version)?;
        let mut attributes = attributes::defaults(snapshot.version.major);
        for member in attributes::KEPT_BY_SNAPSHOTS {
            if let Some(value) = snapshot.attributes.get(*member) {
                attributes.insert((*member).to_owned(), value.clone());
            }
        }
        attributes::take_over(&mut attributes, call);
        let requested_tags = tags::requested(call, "db");
        let inherited = requested_tags.is_empty();
        let tags = if inherited { state.tags_of(&snapshot_arn(snapshot_name)) } else { requested_tags };
        let new = NewInstance {
            identifier,
            version: snapshot.version,
            class,
            master_username: snapshot.master_username.clone(),
            group,
            attributes,
            tags,
            origin: Some(Origin { resource_id: snapshot.resource_id.clone(), seed: Seed::Unknown }),
        };
        Ok((new, backup))
    }

    fn manage_restored(&self, resource_id: &str) -> Result<String, local_aws_core::ApiError> {
        let about =
            self.with_instance(resource_id, |instance| (instance.identifier.clone(), instance.master_username.clone()));
        let (identifier, master) = about.ok_or_else(|| errors::instance_not_found(resource_id))?;
        let (password, secret) = self.manage_password(&identifier, &master)?;
        self.with_instance(resource_id, |instance| instance.attributes.insert("MasterUserSecret".to_owned(), secret));
        Ok(password)
    }

    async fn restore_job(
        self: &Arc<Self>,
        resource_id: &str,
        backup: &KeptBackup,
        snapshot_name: &str,
        managed_password: Option<String>,
    ) -> Result<(), JobFailed> {
        let work = self.recover_server(resource_id, backup);
        let ((), recovered) = tokio::join!(self.pause(delays::RESTORING), work);
        let cluster = recovered?;
        if let Some(password) = managed_password {
            let master =
                self.with_instance(resource_id, |instance| instance.master_username.clone()).unwrap_or_default();
            roles::set_password(&cluster, &master, &password).await?;
        }
        self.put_in_service(resource_id, cluster);
        if let Some(identifier) = self.with_instance(resource_id, |instance| instance.identifier.clone()) {
            self.tell_instance(&identifier, 43, format!("Restored from snapshot {snapshot_name}"));
        }
        // A restore is seen as available once before it is done.
        self.set_status(resource_id, Status::Available);
        self.pause(delays::BEFORE_A_CHANGE_SHOWS).await;
        self.set_status(resource_id, Status::Modifying);
        self.pause(delays::SETTLING).await;
        if self.is_planned(resource_id, &PlannedFault::InitializeStorage) {
            self.initialize_storage(resource_id).await;
        }
        self.set_status(resource_id, Status::Available);
        Ok(())
    }

    /// Whether a fault was planned for this restore, on the instance that the snapshot was taken of. It strikes once.
    fn is_planned(&self, resource_id: &str, fault: &PlannedFault) -> bool {
        let mut state = self.state();
        let source = state.by_resource_id(resource_id).and_then(|restored| restored.origin.clone());
        let Some(source) = source.and_then(|origin| state.by_resource_id(&origin.resource_id)) else { return false };
        let place = source.planned_faults.iter().position(|planned| planned == fault);
        place.map(|place| source.planned_faults.remove(place)).is_some()
    }

    /// The server works; what is shown is how much of the volume has arrived.
    async fn initialize_storage(&self, resource_id: &str) {
        const STEPS: u32 = 10;
        self.set_status(resource_id, Status::StorageInitialization);
        for step in 0..STEPS {
            let percent = step * 100 / STEPS;
            self.with_instance(resource_id, |instance| {
                instance.attributes.insert("StorageOperationStatus".to_owned(), "Initializing".into());
                instance.attributes.insert("StorageOperationPercentProgress".to_owned(), percent.into());
                instance.attributes.insert("PercentProgress".to_owned(), percent.to_string().into());
            });
            self.pause(delays::INITIALIZING / STEPS).await;
        }
        self.with_instance(resource_id, |instance| {
            for member in ["StorageOperationStatus", "StorageOperationPercentProgress", "PercentProgress"] {
                instance.attributes.remove(member);
            }
        });
    }

    async fn recover_server(
        self: &Arc<Self>,
        resource_id: &str,
        backup: &KeptBackup,
    ) -> Result<Arc<local_aws_postgres::Cluster>, JobFailed> {
        let name = self.with_instance(resource_id, |instance| instance.cluster_name());
        let name = name.ok_or_else(|| anyhow::anyhow!("the instance is gone"))?;
        let cluster = Arc::new(self.around.servers.restore_cluster(backup, &name).await?);
        self.inherit_faults(resource_id);
        self.start_with_group(resource_id, &cluster).await?;
        let seed = match rds_tools::end_of_recovery(&cluster).await? {
            _ if self.strikes(resource_id, &CopyFault::NoSeedFunction) => Seed::NoFunction,
            Some(position) if !self.strikes(resource_id, &CopyFault::SeedNull) => Seed::At(position),
            _ => Seed::Unknown,
        };
        self.write_on_copy(resource_id, &cluster).await?;
        self.with_instance(resource_id, |instance| {
            instance.origin = instance.origin.take().map(|origin| Origin { seed, ..origin });
        });
        // Only the first start after a crash knows where its recovery ended, and nobody may count on seeing that one.
        cluster.stop(Shutdown::Fast).await?;
        self.start_server(resource_id, &cluster).await?;
        self.watch_for_faults(resource_id);
        Ok(cluster)
    }
}
