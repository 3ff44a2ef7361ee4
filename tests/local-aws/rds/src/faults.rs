//! Faults of an instance that a test or a rehearsal plans.

use crate::events::Subject;
use crate::service::{Rds, Shared};
use crate::state::Status;
use crate::{delays, errors};

use std::sync::Arc;

use local_aws_core::ApiError;
use local_aws_postgres::Shutdown;

/// What happens to an instance unasked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlannedFault {
    /// Now: the server crashes and comes back, as after a failure of its host.
    Restart,
    /// Now: the standby takes over (event and restart; the endpoint's name stays).
    Failover,
    /// Now: the storage is full and the server stops, until a ModifyDBInstance gives it more.
    StorageFull,
    /// The next major upgrade fails its precheck for this reason.
    FailPrecheck(String),
    /// The next snapshot fails.
    FailSnapshot,
    /// The next restore of a snapshot of this instance loads its volume for a while after it serves.
    InitializeStorage,
    /// Happens to the next instance that is restored from a snapshot of this one.
    OfCopy(CopyFault),
}

/// What happens to a restored copy that native replication continues from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CopyFault {
    /// `rds_tools` cannot be created there.
    NoSeedFunction,
    /// `rds_tools.logical_seed_lsn()` answers NULL there.
    SeedNull,
    /// Somebody commits this on the copy before its instance is available.
    Write(Statement),
    /// It has no worker for logical replication, before and after its upgrades.
    NoReplicationWorkers,
    /// After its major upgrade its source loses the slot that the run created: the WAL that the slot needs is removed.
    SlotLost,
    /// Its server crashes as soon as the origin of a committed subscription has moved from zero, and comes back.
    DiesAfterAdvance,
    /// As soon as the worker of a subscription runs, somebody commits this: a row with the key of a later one.
    Conflict(Statement),
}

/// A statement that is run as a superuser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The database.
    pub database: String,
    /// The text.
    pub sql: String,
}

impl Rds {
    /// Let a fault happen now or at its time. Comes back when a fault that happens now has begun.
    pub async fn plan(&self, instance_id: &str, fault: PlannedFault) -> Result<(), ApiError> {
        match fault {
            PlannedFault::FailPrecheck(_)
            | PlannedFault::FailSnapshot
            | PlannedFault::InitializeStorage
            | PlannedFault::OfCopy(_) => {
                self.shared.state().instance_mut(instance_id)?.planned_faults.push(fault);
                Ok(())
            }
            now => self.shared.break_now(instance_id, now).await,
        }
    }
}

impl Shared {
    pub(crate) async fn break_now(self: &Arc<Self>, instance_id: &str, fault: PlannedFault) -> Result<(), ApiError> {
        let (cluster, files, busy, resource_id) = {
            let state = self.state();
            let instance = state.instance(instance_id)?;
            let cluster = instance.cluster.clone().ok_or_else(|| errors::instance_state("it has no server yet"))?;
            let files = instance.server_files(self.around.port);
            (cluster, files, instance.busy.clone(), instance.resource_id.clone())
        };
        let guard = busy.lock_owned().await;
        cluster.stop(Shutdown::Immediate).await.map_err(ApiError::internal)?;
        if fault == PlannedFault::StorageFull {
            self.set_status(&resource_id, Status::StorageFull);
            self.tell_instance(instance_id, 7, "The allocated storage for the DB instance has been exhausted.");
            return Ok(());
        }
        if fault == PlannedFault::Failover {
            self.tell(Subject::Instance, instance_id, 13, "Multi-AZ instance failover started.");
        }
        let (rds, identifier) = (self.clone(), instance_id.to_owned());
        tokio::spawn(async move {
            let _busy = guard;
            rds.pause(delays::REBOOT_BEFORE).await;
            if let Err(error) = cluster.start(files).await {
                return rds.job_failed(&resource_id, "start again after a fault", &error.into());
            }
            rds.watch_roles(&resource_id, &cluster);
            if fault == PlannedFault::Failover {
                rds.tell_instance(&identifier, 49, "Multi-AZ instance failover completed.");
            }
            rds.tell_instance(&identifier, 6, "DB instance restarted");
        });
        Ok(())
    }
}
