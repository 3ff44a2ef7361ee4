//! RebootDBInstance: the only way for a static parameter or an attached group to take hold.

use std::sync::Arc;

use local_aws_core::{Call, Reply};
use local_aws_postgres::Shutdown;

use super::jobs::JobFailed;
use crate::paging::one;
use crate::service::Shared;
use crate::state::Status;
use crate::{delays, errors};

impl Shared {
    pub(crate) fn reboot_instance(self: &Arc<Self>, call: &Call) -> Reply {
        let with_failover = call.flag("ForceFailover");
        let mut state = self.state();
        let instance = state.instance_mut(call.required("DBInstanceIdentifier")?)?;
        if with_failover && !instance.flag("MultiAZ") {
            return Err(errors::combination("Cannot force a failover on a DB instance that is not Multi-AZ."));
        }
        if instance.status != Status::Available {
            return Err(errors::instance_state("Database instance is not in available state."));
        }
        instance.status = Status::Rebooting;
        let resource_id = instance.resource_id.clone();
        let reply =
            state.instance(call.required("DBInstanceIdentifier")?).map(|found| self.instance_json(&state, found))?;
        drop(state);
        let (rds, id) = (self.clone(), resource_id.clone());
        self.spawn_job(&resource_id, "reboot", async move { rds.reboot_job(&id, with_failover).await });
        one("DBInstance", reply)
    }

    async fn reboot_job(self: &Arc<Self>, resource_id: &str, with_failover: bool) -> Result<(), JobFailed> {
        // Another job may have run, and ended in `available`, since the call was accepted.
        self.set_status(resource_id, Status::Rebooting);
        self.pause(delays::REBOOT_BEFORE).await;
        self.restart_server(resource_id, with_failover).await?;
        self.pause(delays::REBOOT_AFTER).await;
        self.set_status(resource_id, Status::Available);
        Ok(())
    }

    /// Restart with the attached group. After a failover the standby goes on with what the server had before: a
    /// static parameter needs a reboot without failover.
    pub(crate) async fn restart_server(
        self: &Arc<Self>,
        resource_id: &str,
        with_failover: bool,
    ) -> Result<(), JobFailed> {
        let cluster = self.cluster_of(resource_id)?;
        let identifier = self.with_instance(resource_id, |instance| instance.identifier.clone()).unwrap_or_default();
        self.tell_instance(&identifier, 4, "DB instance shutdown");
        if with_failover {
            self.tell_instance(&identifier, 13, "Multi-AZ instance failover started.");
            cluster.stop(Shutdown::Immediate).await?;
            self.start_as_before(resource_id, &cluster).await?;
            self.tell_instance(&identifier, 49, "Multi-AZ instance failover completed.");
        } else {
            cluster.stop(Shutdown::Fast).await?;
            self.start_with_group(resource_id, &cluster).await?;
            self.watch_roles(resource_id, &cluster);
        }
        self.tell_instance(&identifier, 6, "DB instance restarted");
        Ok(())
    }
}
