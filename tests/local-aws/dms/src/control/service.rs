//! The service: its parts, its operations by name, and the work that goes on after an answer.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use local_aws_core::{ApiError, BoxFuture, Call, Clock, EventBus, Ground, Hosts, ReadSecret, Reply, Service};
use serde_json::json;
use tokio::task::JoinSet;

use super::records::Records;
use super::{
    certificates, connections, endpoints, events, instances, quotas, subnet_groups, table_statistics, tags, task_runs,
    tasks,
};
use crate::catalog;
use crate::data::access::Seams;
use crate::data::faults::{Fault, Faults};

/// What a rehearsal decides about its DMS.
#[derive(Debug, Clone, Default)]
pub struct DmsSettings {
    /// Faults to come.
    pub faults: Vec<Fault>,
    /// Who is let in to the databases.
    pub ground: Ground,
}

/// The local AWS DMS. Dropping it ends everything that its tasks do; the servers are left as they are.
pub struct Dms {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) clock: Clock,
    pub(crate) bus: EventBus,
    pub(crate) seams: Seams,
    pub(crate) faults: Faults,
    records: Mutex<Records>,
    background: Mutex<JoinSet<()>>,
}

impl Dms {
    /// A DMS without any resource.
    pub fn new(clock: Clock, hosts: Hosts, bus: EventBus, secrets: Arc<dyn ReadSecret>, settings: DmsSettings) -> Self {
        let faults = Faults::default();
        for fault in settings.faults {
            faults.plan(fault);
        }
        let inner = Inner {
            clock,
            bus,
            seams: Seams { hosts, secrets, ground: settings.ground },
            faults,
            records: Mutex::default(),
            background: Mutex::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Keys of the tags of what has this ARN; `None` if nothing has.
    pub fn tag_keys(&self, arn: &str) -> Option<Vec<String>> {
        tags::keys(&self.inner.records(), arn)
    }

    /// Plan one more fault.
    pub fn plan_fault(&self, fault: Fault) {
        self.inner.faults.plan(fault);
    }
}

impl Drop for Dms {
    fn drop(&mut self) {
        self.inner.background.lock().unwrap_or_else(PoisonError::into_inner).abort_all();
    }
}

impl Inner {
    /// The records; never held across a wait.
    pub(crate) fn records(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Work that goes on after the answer and ends with the service.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let mut background = self.background.lock().unwrap_or_else(PoisonError::into_inner);
        while background.try_join_next().is_some() {}
        background.spawn(work);
    }

    /// Change the records after a delay as AWS would take it.
    pub(crate) fn later(self: &Arc<Self>, nominal: Duration, change: impl FnOnce(&Arc<Self>) + Send + 'static) {
        let inner = Arc::clone(self);
        self.spawn(async move {
            inner.clock.sleep(nominal).await;
            change(&inner);
        });
    }

    /// Now, epoch seconds.
    pub(crate) fn now(&self) -> f64 {
        self.clock.epoch_seconds()
    }
}

impl Service for Dms {
    fn name(&self) -> &'static str {
        "dms"
    }

    fn call<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Reply> {
        Box::pin(async move { answer(&self.inner, call) })
    }
}

/// No operation of DMS waits for what it starts, so none waits here.
fn answer(dms: &Arc<Inner>, call: &Call) -> Reply {
    match call.operation.as_str() {
        "CreateReplicationSubnetGroup" => subnet_groups::create(dms, call),
        "ModifyReplicationSubnetGroup" => subnet_groups::modify(dms, call),
        "DescribeReplicationSubnetGroups" => subnet_groups::describe(dms, call),
        "DeleteReplicationSubnetGroup" => subnet_groups::delete(dms, call),
        "CreateReplicationInstance" => instances::create(dms, call),
        "ModifyReplicationInstance" => instances::modify(dms, call),
        "RebootReplicationInstance" => instances::reboot(dms, call),
        "DescribeReplicationInstances" => instances::describe(dms, call),
        "DeleteReplicationInstance" => instances::delete(dms, call),
        "ImportCertificate" => certificates::import(dms, call),
        "DescribeCertificates" => certificates::describe(dms, call),
        "DeleteCertificate" => certificates::delete(dms, call),
        "CreateEndpoint" => endpoints::create(dms, call),
        "ModifyEndpoint" => endpoints::modify(dms, call),
        "DescribeEndpoints" => endpoints::describe(dms, call),
        "DeleteEndpoint" => endpoints::delete(dms, call),
        "TestConnection" => connections::test(dms, call),
        "DescribeConnections" => connections::describe(dms, call),
        "DeleteConnection" => connections::delete(dms, call),
        "CreateReplicationTask" => tasks::create(dms, call),
        "ModifyReplicationTask" => tasks::modify(dms, call),
        "DescribeReplicationTasks" => tasks::describe(dms, call),
        "DeleteReplicationTask" => tasks::delete(dms, call),
        "StartReplicationTask" => task_runs::start(dms, call),
        "StopReplicationTask" => task_runs::stop(dms, call),
        "ReloadTables" => task_runs::reload_tables(dms, call),
        "DescribeTableStatistics" => table_statistics::describe(dms, call),
        "DescribeEvents" => events::describe(dms, call),
        "AddTagsToResource" => tags::add(dms, call),
        "RemoveTagsFromResource" => tags::remove(dms, call),
        "ListTagsForResource" => tags::list(dms, call),
        "DescribeEngineVersions" => listed(call, "EngineVersions", catalog::engine_versions()),
        "DescribeOrderableReplicationInstances" => {
            let zones = ["eu-west-1a", "eu-west-1b", "eu-west-1c"];
            listed(call, "OrderableReplicationInstances", catalog::orderable_instances(&zones))
        }
        "DescribeAccountAttributes" => Ok(quotas::account_attributes(dms)),
        other => Err(ApiError::not_implemented(other)),
    }
}

/// A paged list without filters.
fn listed(call: &Call, member: &str, items: Vec<serde_json::Value>) -> Reply {
    let page = super::filters::page(call, items, 100)?;
    Ok(super::records::present(json!({ member: page.items, "Marker": page.marker })))
}
