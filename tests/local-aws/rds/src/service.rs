//! The service: its surroundings, and which function answers which operation.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use local_aws_core::{ApiError, BoxFuture, Call, Clock, EventBus, Hosts, Reply, Service};
use local_aws_postgres::{CertificateAuthority, Servers};
use tokio::sync::watch;
use tokio_postgres::Config;

use crate::parameter_groups::Catalogs;
use crate::state::State;

/// Keeps the master password that RDS manages, as Secrets Manager does.
pub trait KeepSecret: Send + Sync + 'static {
    /// Keep a secret string under a name; the answer is its ARN.
    fn keep(&self, name: &str, secret_string: &str) -> Result<String, ApiError>;
    /// Forget it: its instance is deleted.
    fn forget(&self, arn: &str);
}

/// What RDS needs of the rest of the stand-in.
pub struct Surroundings {
    /// Scales AWS's delays.
    pub clock: Clock,
    /// Where endpoints are named.
    pub hosts: Hosts,
    /// Where events are published.
    pub events: EventBus,
    /// Makes the real servers.
    pub servers: Servers,
    /// Signs the instances' certificates.
    pub authority: CertificateAuthority,
    /// The one port of all instances.
    pub port: u16,
    /// Where managed master passwords go; without it `ManageMasterUserPassword` is not served.
    pub secrets: Option<Arc<dyn KeepSecret>>,
}

/// RDS for PostgreSQL. Cheap to clone; all clones are one service.
#[derive(Clone)]
pub struct Rds {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) around: Surroundings,
    pub(crate) catalogs: Catalogs,
    /// Told of every change of who reaches whom.
    pub(crate) network: watch::Sender<()>,
    state: Mutex<State>,
}

impl Shared {
    /// What there is. Held for moments only, never over an await.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wait as long as AWS would, scaled.
    pub(crate) async fn pause(&self, nominal: Duration) {
        self.around.clock.sleep(nominal).await;
    }

    pub(crate) fn now(&self) -> f64 {
        self.around.clock.epoch_seconds()
    }
}

impl Rds {
    /// A service without instances.
    pub fn new(around: Surroundings) -> Self {
        let catalogs = Catalogs::new(around.servers.clone());
        Self { shared: Arc::new(Shared { around, catalogs, network: watch::Sender::new(()), state: Mutex::default() }) }
    }

    /// Let an instance have these read replicas. They are only named: they have no server.
    pub fn name_replicas(&self, instance_id: &str, replicas: &[&str]) {
        if let Some(instance) = self.shared.state().instances.get_mut(instance_id) {
            instance.replicas = replicas.iter().map(|name| (*name).to_owned()).collect();
        }
    }

    /// The identifiers of all instances, in alphabetical order.
    pub fn instance_ids(&self) -> Vec<String> {
        self.shared.state().instances.keys().cloned().collect()
    }

    /// Keys of the tags of what has this ARN; `None` if nothing has.
    pub fn tag_keys(&self, arn: &str) -> Option<Vec<String>> {
        let state = self.shared.state();
        state.refuse_unknown_arn(arn).ok()?;
        Some(state.tags_of(arn).into_iter().map(|(key, _)| key).collect())
    }

    /// How an observer connects to an instance as its superuser, without TLS, to database `postgres`; `None` while
    /// it has no running server.
    pub fn admin_config(&self, instance_id: &str) -> Option<Config> {
        let state = self.shared.state();
        state.instances.get(instance_id)?.cluster.as_ref()?.admin_config_if_started()
    }

    async fn answer(&self, call: &Call) -> Reply {
        let rds = &self.shared;
        match call.operation.as_str() {
            "CreateDBInstance" => rds.create_instance(call).await,
            "DescribeDBInstances" => rds.describe_instances(call),
            "ModifyDBInstance" => rds.modify_instance(call).await,
            "RebootDBInstance" => rds.reboot_instance(call),
            "DeleteDBInstance" => rds.delete_instance(call),
            "RestoreDBInstanceFromDBSnapshot" => rds.restore_instance(call).await,
            "CreateDBSnapshot" => rds.create_snapshot(call),
            "DescribeDBSnapshots" => rds.describe_snapshots(call),
            "DeleteDBSnapshot" => rds.delete_snapshot(call),
            "CreateDBParameterGroup" => rds.create_parameter_group(call),
            "CopyDBParameterGroup" => rds.copy_parameter_group(call),
            "ModifyDBParameterGroup" => rds.modify_parameter_group(call).await,
            "ResetDBParameterGroup" => rds.reset_parameter_group(call).await,
            "DeleteDBParameterGroup" => rds.delete_parameter_group(call),
            "DescribeDBParameterGroups" => rds.describe_parameter_groups(call),
            "DescribeDBParameters" => rds.describe_parameters(call).await,
            "DescribeEngineDefaultParameters" => rds.describe_engine_default_parameters(call).await,
            "DescribeDBEngineVersions" => rds.describe_engine_versions(call),
            "DescribeOrderableDBInstanceOptions" => rds.describe_orderable_options(call),
            "DescribeEvents" => rds.describe_events(call),
            "DescribeDBLogFiles" => rds.describe_log_files(call),
            "DownloadDBLogFilePortion" => rds.download_log_portion(call),
            "DescribePendingMaintenanceActions" => rds.describe_pending_maintenance(call),
            "AddTagsToResource" => rds.add_tags(call),
            "RemoveTagsFromResource" => rds.remove_tags(call),
            "ListTagsForResource" => rds.list_tags(call),
            "DescribeAccountAttributes" => rds.describe_account_attributes(),
            "AddRoleToDBInstance" => rds.add_role(call),
            "DescribeDBProxies" => rds.describe_proxies(call),
            "DescribeDBProxyTargets" => rds.describe_proxy_targets(call),
            other => Err(ApiError::not_implemented(other)),
        }
    }
}

impl Service for Rds {
    fn name(&self) -> &'static str {
        "rds"
    }

    fn call<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Reply> {
        Box::pin(self.answer(call))
    }
}
