//! What all background work on an instance has in common.

use std::sync::Arc;

use local_aws_postgres::{Cluster, ServerFiles};
use tokio::sync::OwnedMutexGuard;

use crate::instances::machine_of;
use crate::parameter_groups::{Values, values_of};
use crate::service::Shared;
use crate::state::{Instance, Status};

/// Why a job could not do what it was asked.
#[derive(Debug)]
pub(crate) struct JobFailed {
    pub(crate) error: anyhow::Error,
    /// What the instance is afterwards.
    pub(crate) status: Status,
}

impl<E: Into<anyhow::Error>> From<E> for JobFailed {
    fn from(error: E) -> Self {
        Self { error: error.into(), status: Status::Failed }
    }
}

impl Shared {
    /// Do work on an instance in the background, one job after the other. A failure shows in status and events.
    pub(crate) fn spawn_job<F>(self: &Arc<Self>, resource_id: &str, what: &'static str, job: F)
    where
        F: Future<Output = Result<(), JobFailed>> + Send + 'static,
    {
        let (rds, resource_id) = (self.clone(), resource_id.to_owned());
        tokio::spawn(async move {
            let Some(_busy) = rds.occupy(&resource_id).await else { return };
            if let Err(failed) = job.await {
                rds.job_failed_as(&resource_id, what, &failed.error, failed.status);
            }
        });
    }

    /// Wait for the instance's other jobs; `None` if it is gone.
    pub(crate) async fn occupy(&self, resource_id: &str) -> Option<OwnedMutexGuard<()>> {
        let busy = self.state().by_resource_id(resource_id)?.busy.clone();
        Some(busy.lock_owned().await)
    }

    /// Something of the stand-in broke under an instance.
    pub(crate) fn job_failed(&self, resource_id: &str, what: &str, error: &anyhow::Error) {
        self.job_failed_as(resource_id, what, error, Status::Failed);
    }

    fn job_failed_as(&self, resource_id: &str, what: &str, error: &anyhow::Error, status: Status) {
        tracing::error!(resource_id, what, error = format!("{error:#}"), "an instance's job failed");
        self.set_status(resource_id, status);
        let Some(identifier) = self.with_instance(resource_id, |instance| instance.identifier.clone()) else { return };
        match status {
            Status::IncompatibleParameters => {
                let text = "Database instance put into incompatible-parameters. The server could not be started.";
                self.tell_instance(&identifier, 35, text);
            }
            _ => self.tell_instance(&identifier, 31, format!("DB instance put into {} state.", status.text())),
        }
    }

    /// Look at or change an instance, if it is still there.
    pub(crate) fn with_instance<T>(&self, resource_id: &str, look: impl FnOnce(&mut Instance) -> T) -> Option<T> {
        self.state().by_resource_id(resource_id).map(look)
    }

    /// An instance that is being deleted stays so, whatever another job wanted it to be.
    pub(crate) fn set_status(&self, resource_id: &str, status: Status) {
        self.with_instance(resource_id, |instance| {
            if instance.status != Status::Deleting {
                instance.status = status;
            }
        });
    }

    /// The values of the group that is attached, for the instance's class.
    pub(crate) async fn wanted_values(&self, resource_id: &str) -> Result<Values, JobFailed> {
        let (group, machine) = {
            let mut state = self.state();
            let instance = state.by_resource_id(resource_id).ok_or_else(gone)?;
            let (name, machine) = (instance.group.name.clone(), machine_of(instance, self.around.port));
            (state.group(&name)?, machine)
        };
        let catalog = self.catalogs.of(group.major).await?;
        Ok(values_of(&catalog, &group.values, &machine))
    }

    /// Read the attached group and start the server with it. Role memberships are not watched yet.
    pub(crate) async fn start_with_group(&self, resource_id: &str, cluster: &Arc<Cluster>) -> Result<(), JobFailed> {
        let values = self.wanted_values(resource_id).await?;
        self.with_instance(resource_id, |instance| {
            instance.running = values;
            let group = &mut instance.group;
            (group.in_effect, group.waits_for_reboot, group.upgrading) = (true, false, false);
        });
        self.start_server(resource_id, cluster).await
    }

    /// Start the server with what it ran with before.
    pub(crate) async fn start_as_before(&self, resource_id: &str, cluster: &Arc<Cluster>) -> Result<(), JobFailed> {
        self.start_server(resource_id, cluster).await?;
        self.watch_roles(resource_id, cluster);
        Ok(())
    }

    /// What the server of an instance is told now; `None` if the instance is gone.
    pub(crate) fn server_files(&self, resource_id: &str) -> Option<ServerFiles> {
        let state = self.state();
        let instance = state.instances.values().find(|instance| instance.resource_id == resource_id)?;
        Some(instance.server_files(self.around.port))
    }

    /// Start the server with the values that it ran with last. Role memberships are not watched yet.
    pub(crate) async fn start_server(&self, resource_id: &str, cluster: &Arc<Cluster>) -> Result<(), JobFailed> {
        let files = self.server_files(resource_id).ok_or_else(gone)?;
        let started = cluster.start(files).await;
        started.map_err(|error| JobFailed { error: error.into(), status: Status::IncompatibleParameters })
    }

    /// The instance has a server from now on: its endpoint shows and its name leads to it.
    pub(crate) fn put_in_service(&self, resource_id: &str, cluster: Arc<Cluster>) {
        self.watch_roles(resource_id, &cluster);
        let named = self.with_instance(resource_id, |instance| {
            instance.cluster = Some(cluster);
            (instance.host_name.clone(), instance.address)
        });
        if let Some((host_name, address)) = named {
            self.around.hosts.set(&host_name, address);
        }
    }

    /// The cluster of an instance that has been put in service.
    pub(crate) fn cluster_of(&self, resource_id: &str) -> Result<Arc<Cluster>, JobFailed> {
        let cluster = self.with_instance(resource_id, |instance| instance.cluster.clone()).flatten();
        cluster.ok_or_else(gone)
    }
}

/// The instance was deleted under the job; nothing is left to be told.
fn gone() -> JobFailed {
    anyhow::anyhow!("the instance has no server any more").into()
}
