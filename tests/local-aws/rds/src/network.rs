//! The network between the servers of instances: who reaches whom, and what a test cuts.

use std::net::Ipv4Addr;
use std::sync::{Arc, Weak};

use local_aws_core::ApiError;
use local_aws_postgres::{Listen, Outlet, Route};
use tokio::sync::watch;

use crate::service::{Rds, Shared};
use crate::state::{Instance, State};

impl Rds {
    /// Cut an instance off from the other instances: its server reaches none of theirs, and none of theirs reaches it.
    /// Connections between them end. Clients still reach it.
    pub fn cut_off(&self, instance_id: &str) -> Result<(), ApiError> {
        self.set_cut_off(instance_id, true)
    }

    /// Undo [`Rds::cut_off`].
    pub fn reconnect(&self, instance_id: &str) -> Result<(), ApiError> {
        self.set_cut_off(instance_id, false)
    }

    fn set_cut_off(&self, instance_id: &str, is_cut_off: bool) -> Result<(), ApiError> {
        self.shared.state().instance_mut(instance_id)?.is_cut_off = is_cut_off;
        self.shared.network.send_replace(());
        Ok(())
    }
}

impl Shared {
    /// The way out of an instance's server.
    pub(crate) fn open_outlet(self: &Arc<Self>, resource_id: &str) -> Result<Outlet, ApiError> {
        let port = self.around.port;
        let address = self.around.servers.addresses().take(port).map_err(ApiError::internal)?;
        let changes = self.network.subscribe();
        let route = ServerRoute { rds: Arc::downgrade(self), resource_id: resource_id.to_owned(), changes };
        Outlet::open(Listen { address, port }, Arc::new(route)).map_err(ApiError::internal)
    }
}

/// The network as the server of one instance sees it.
struct ServerRoute {
    rds: Weak<Shared>,
    resource_id: String,
    changes: watch::Receiver<()>,
}

impl Route for ServerRoute {
    fn destination(&self, name: Option<&str>) -> Option<Ipv4Addr> {
        let rds = self.rds.upgrade()?;
        let state = rds.state();
        let from = state.instances.values().find(|instance| instance.resource_id == self.resource_id)?;
        let to = match name {
            Some(name) => state.instances.values().find(|instance| instance.host_name.eq_ignore_ascii_case(name)),
            None => state.relative(from),
        }?;
        let is_itself = to.resource_id == from.resource_id;
        (is_itself || !from.is_cut_off && !to.is_cut_off).then_some(to.address)
    }

    fn changes(&self) -> watch::Receiver<()> {
        self.changes.clone()
    }
}

impl State {
    /// Whom a server means that does not say whom: the newest of the instance that it was restored from and those that
    /// were restored from it. The source of a run and its target are that to each other.
    fn relative(&self, of: &Instance) -> Option<&Instance> {
        let is_from = |copy: &Instance, source: &Instance| {
            copy.origin.as_ref().is_some_and(|origin| origin.resource_id == source.resource_id)
        };
        let relatives = self.instances.values().filter(|other| is_from(of, other) || is_from(other, of));
        relatives.max_by(|one, other| one.created_at.total_cmp(&other.created_at))
    }
}
