//! DeleteDBInstance.

use std::sync::Arc;

use local_aws_core::{Call, Reply};
use local_aws_postgres::Shutdown;

use super::jobs::JobFailed;
use crate::names::{identifier, instance_arn};
use crate::paging::one;
use crate::service::Shared;
use crate::state::Status;
use crate::{delays, errors};

impl Shared {
    pub(crate) fn delete_instance(self: &Arc<Self>, call: &Call) -> Reply {
        let name = call.required("DBInstanceIdentifier")?;
        let final_snapshot = match (call.flag("SkipFinalSnapshot"), call.str("FinalDBSnapshotIdentifier")) {
            (false, None) => {
                let text = "FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified.";
                return Err(errors::combination(text));
            }
            (true, Some(_)) => {
                let text = "FinalDBSnapshotIdentifier can not be specified when SkipFinalSnapshot is true.";
                return Err(errors::combination(text));
            }
            (false, Some(snapshot)) => Some(identifier("FinalDBSnapshotIdentifier", snapshot, 255)?),
            (true, None) => None,
        };
        let mut state = self.state();
        if final_snapshot.as_ref().is_some_and(|snapshot| state.snapshots.contains_key(snapshot)) {
            return Err(errors::snapshot_exists(final_snapshot.as_deref().unwrap_or_default()));
        }
        let instance = state.instance_mut(name)?;
        if instance.flag("DeletionProtection") {
            let text = "Cannot delete protected DB Instance, please disable deletion protection and try again.";
            return Err(errors::combination(text));
        }
        if instance.status == Status::Deleting {
            return Err(errors::instance_state(format!("Instance {name} is already being deleted.")));
        }
        if final_snapshot.is_some() && instance.status != Status::Available {
            return Err(errors::instance_state(format!(
                "Instance {name} is currently not in a state for a final snapshot."
            )));
        }
        instance.status = Status::Deleting;
        let resource_id = instance.resource_id.clone();
        let reply = state.instance(name).map(|found| self.instance_json(&state, found))?;
        drop(state);
        let (rds, id) = (self.clone(), resource_id.clone());
        self.spawn_job(&resource_id, "delete", async move { rds.delete_job(&id, final_snapshot).await });
        one("DBInstance", reply)
    }

    async fn delete_job(self: &Arc<Self>, resource_id: &str, final_snapshot: Option<String>) -> Result<(), JobFailed> {
        if let Some(snapshot) = final_snapshot {
            self.snapshot_now(resource_id, &snapshot).await?;
        }
        let taken = self.with_instance(resource_id, |instance| {
            (instance.cluster.take(), instance.host_name.clone(), instance.address, instance.identifier.clone())
        });
        let Some((cluster, host_name, address, identifier)) = taken else { return Ok(()) };
        self.around.hosts.remove(&host_name);
        if let Some(cluster) = cluster {
            cluster.stop(Shutdown::Immediate).await?;
            if let Some(cluster) = Arc::into_inner(cluster) {
                cluster.remove().await?;
            }
        }
        self.pause(delays::DELETING).await;
        self.forget_instance(&identifier);
        self.around.servers.addresses().give_back(address);
        self.tell_instance(&identifier, 3, "DB instance deleted");
        Ok(())
    }

    fn forget_instance(&self, identifier: &str) {
        let mut state = self.state();
        state.tags.remove(&instance_arn(identifier));
        let removed = state.instances.remove(identifier);
        drop(state);
        self.network.send_replace(());
        if let Some(instance) = &removed {
            self.around.servers.addresses().give_back(instance.outlet.address());
        }
        let secret = removed.as_ref().and_then(|instance| instance.attributes.get("MasterUserSecret"));
        if let (Some(secrets), Some(arn)) =
            (&self.around.secrets, secret.and_then(|secret| secret["SecretArn"].as_str()))
        {
            secrets.forget(arn);
        }
    }
}
