//! Faults of native replication: each strikes at its moment in the life of a copy that was restored from a snapshot.
//!
//! They are planned for the source, and the next copy of it takes them over. Some wait for a statement of somebody else:
//! a session of `rdsadmin` polls the copy until that statement has taken effect.

use std::sync::Arc;
use std::time::Duration;

use local_aws_postgres::{Cluster, Error, Result, Setting, connect};
use tokio_postgres::{Client, Config};

use crate::faults::{CopyFault, PlannedFault, Statement};
use crate::roles::ADMIN_DATABASE;
use crate::service::Shared;
use crate::state::Instance;

/// Well below the 200 ms after which the server flushes by itself what nobody waited for. Real time, not AWS's.
const LOOK: Duration = Duration::from_millis(5);
/// While the server restarts or is upgraded.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// The subscription is committed, and its origin has moved.
const IS_ADVANCED: &str = "SELECT EXISTS (SELECT FROM pg_subscription s JOIN pg_replication_origin_status o
    ON o.external_id = 'pg_' || s.oid WHERE o.remote_lsn > '0/0')";
const WORKER_RUNS: &str = "SELECT EXISTS (SELECT FROM pg_stat_subscription WHERE pid IS NOT NULL)";

/// The slots that a run creates for native replication.
const COPY_SLOTS: &str = r"slot_name LIKE 'pgleap\_%\_copy' AND plugin = 'pgoutput'";
/// Three segments of WAL come before each.
const MOST_CHECKPOINTS: u32 = 50;

/// The server's setting for a fault that lasts.
pub(crate) fn setting(instance: &Instance) -> Option<Setting> {
    let is_planned = instance.copy_faults.contains(&CopyFault::NoReplicationWorkers);
    is_planned.then(|| Setting::new("max_logical_replication_workers", "0"))
}

impl Shared {
    /// Move to a new copy the faults that were planned for the next copy of its source.
    pub(crate) fn inherit_faults(&self, resource_id: &str) {
        let mut state = self.state();
        let origin = state.by_resource_id(resource_id).and_then(|copy| copy.origin.clone());
        let Some(source) = origin.and_then(|origin| state.by_resource_id(&origin.resource_id)) else { return };
        let (mut inherited, mut kept) = (Vec::new(), Vec::new());
        for planned in source.planned_faults.drain(..) {
            match planned {
                PlannedFault::OfCopy(fault) => inherited.push(fault),
                other => kept.push(other),
            }
        }
        source.planned_faults = kept;
        if let Some(copy) = state.by_resource_id(resource_id) {
            copy.copy_faults = inherited;
        }
    }

    /// Whether a fault strikes this copy now. It strikes once.
    pub(crate) fn strikes(&self, resource_id: &str, fault: &CopyFault) -> bool {
        self.struck(resource_id, |planned| planned == fault).is_some()
    }

    fn struck(&self, resource_id: &str, is_meant: impl Fn(&CopyFault) -> bool) -> Option<CopyFault> {
        let take = |faults: &mut Vec<CopyFault>| faults.iter().position(is_meant).map(|place| faults.remove(place));
        let struck = self.with_instance(resource_id, |copy| take(&mut copy.copy_faults)).flatten();
        if let Some(fault) = &struck {
            tracing::info!(resource_id, ?fault, "a planned fault of a copy is due");
        }
        struck
    }

    /// Commit what is planned to be on the copy before anybody looks at it.
    pub(crate) async fn write_on_copy(&self, resource_id: &str, cluster: &Cluster) -> Result<()> {
        match self.struck(resource_id, |fault| matches!(fault, CopyFault::Write(_))) {
            Some(CopyFault::Write(statement)) => run(cluster.admin_config(), &statement).await,
            _ => Ok(()),
        }
    }

    /// Start to poll for the faults that wait for a statement of somebody else.
    pub(crate) fn watch_for_faults(self: &Arc<Self>, resource_id: &str) {
        if self.strikes(resource_id, &CopyFault::DiesAfterAdvance) {
            let (rds, id) = (self.clone(), resource_id.to_owned());
            tokio::spawn(async move {
                if rds.wait_until(&id, IS_ADVANCED).await.is_some() {
                    tracing::info!(id, "a subscription's origin has moved: a planned crash");
                    rds.crash(&id).await;
                }
            });
        }
        let conflict = self.struck(resource_id, |fault| matches!(fault, CopyFault::Conflict(_)));
        if let Some(CopyFault::Conflict(statement)) = conflict {
            let (rds, id) = (self.clone(), resource_id.to_owned());
            tokio::spawn(async move {
                let Some(config) = rds.wait_until(&id, WORKER_RUNS).await else { return };
                if let Err(error) = run(config, &statement).await {
                    tracing::error!(id, %error, "a planned conflict failed");
                }
            });
        }
    }

    async fn crash(self: &Arc<Self>, resource_id: &str) {
        let Some(identifier) = self.with_instance(resource_id, |copy| copy.identifier.clone()) else { return };
        if let Err(error) = self.break_now(&identifier, PlannedFault::Restart).await {
            tracing::error!(identifier, %error, "a planned crash failed");
        }
    }

    /// Poll the instance's server until the answer is yes, across restarts and upgrades; `None` if the instance is gone.
    async fn wait_until(&self, resource_id: &str, question: &str) -> Option<Config> {
        loop {
            let config = self.superuser(resource_id)?;
            let is_yes = async {
                let mut inside = config.clone()?;
                let client = connect(inside.dbname(ADMIN_DATABASE)).await.ok()?;
                while !client.query_one(question, &[]).await.ok()?.get::<_, bool>(0) {
                    tokio::time::sleep(LOOK).await;
                }
                Some(())
            };
            if is_yes.await.is_some() {
                return config;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// How to connect to an instance's server as its superuser, if there is one now; `None` if the instance is gone.
    fn superuser(&self, resource_id: &str) -> Option<Option<Config>> {
        self.with_instance(resource_id, |instance| instance.cluster.as_ref()?.admin_config_if_started())
    }

    /// After a major upgrade of the copy the source loses the slot, as when the slot retains too much WAL.
    pub(crate) fn lose_slot(self: &Arc<Self>, resource_id: &str) {
        if !self.strikes(resource_id, &CopyFault::SlotLost) {
            return;
        }
        let source = self.with_instance(resource_id, |copy| copy.origin.clone()).flatten();
        let Some(config) = source.and_then(|origin| self.superuser(&origin.resource_id)).flatten() else { return };
        tokio::spawn(async move {
            if let Err(error) = lose_copy_slots(config).await {
                tracing::error!(%error, "a planned loss of a slot failed");
            }
        });
    }
}

async fn run(mut config: Config, statement: &Statement) -> Result<()> {
    execute(&connect(config.dbname(&statement.database)).await?, &statement.sql).await
}

async fn lose_copy_slots(config: Config) -> Result<()> {
    let client = connect(&config).await?;
    let query = format!("SELECT count(*) FROM pg_replication_slots WHERE {COPY_SLOTS}");
    if client.query_one(&query, &[]).await.map_err(failed("count the slots"))?.get::<_, i64>(0) == 0 {
        tracing::warn!("a slot was planned to be lost, and no run has created one");
        return Ok(());
    }
    execute(&client, "ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'").await?;
    execute(&client, "SELECT pg_reload_conf()").await?;
    let lost = pile_up(&client).await;
    execute(&client, "ALTER SYSTEM RESET max_slot_wal_keep_size").await?;
    execute(&client, "SELECT pg_reload_conf()").await?;
    lost
}

async fn pile_up(client: &Client) -> Result<()> {
    let left = format!("SELECT count(*) FROM pg_replication_slots WHERE {COPY_SLOTS} AND wal_status <> 'lost'");
    let end_reader =
        format!("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE {COPY_SLOTS} AND active");
    let switch = "SELECT pg_logical_emit_message(false, 'rdsadmin', 'x'), pg_switch_wal()";
    for _ in 0..MOST_CHECKPOINTS {
        let row = client.query_one(&left, &[]).await.map_err(failed("look at the slots"))?;
        if row.get::<_, i64>(0) == 0 {
            return Ok(());
        }
        execute(client, &end_reader).await?;
        for _ in 0..3 {
            execute(client, switch).await?;
        }
        execute(client, "CHECKPOINT").await?;
    }
    tracing::error!("a planned loss of a slot failed: it is still there");
    Ok(())
}

async fn execute(client: &Client, sql: &str) -> Result<()> {
    client.batch_execute(sql).await.map_err(failed("let a planned fault strike"))
}

fn failed(what: &str) -> impl FnOnce(tokio_postgres::Error) -> Error {
    let what = what.to_owned();
    move |source| Error::Sql { what, source }
}
