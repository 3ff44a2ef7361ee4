//! What an operator does with AWS's commands, by the SDK: each function is a command and the wait for its end.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use aws_sdk_rds::types::DbInstance;
use aws_sdk_route53::types::{
    Change, ChangeAction, ChangeBatch, ChangeStatus, ResourceRecord, ResourceRecordSet, RrType,
};
use tokio_postgres::Client;

use super::scene::Scene;
use crate::stage::{RECORD, SOURCE, master_login};

/// The copy that clients are moved to.
pub(super) const COPY: &str = "shop-db-copy";
const SNAPSHOT: &str = "shop-db-before-upgrade";
/// TTL during the switch, as pgleap has it by default.
const LOW_TTL: i64 = 1;
/// How long an answer with the old TTL may still be kept.
const OLD_TTL: Duration = Duration::from_secs(3);

const LONGEST_WAIT: Duration = Duration::from_secs(300);
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// The operator's clients of RDS and Route 53.
pub(super) struct Hands<'a> {
    scene: &'a Scene,
    rds: aws_sdk_rds::Client,
    route53: aws_sdk_route53::Client,
}

impl<'a> Hands<'a> {
    pub(super) fn of(scene: &'a Scene) -> Self {
        let sdk = scene.stage.sdk();
        Self { scene, rds: aws_sdk_rds::Client::new(sdk), route53: aws_sdk_route53::Client::new(sdk) }
    }

    /// Connect to an instance as its master user. The copy's is the source's.
    pub(super) async fn connect(&self, id: &str) -> Result<Client> {
        let answer = self.scene.stage.names().resolve(&self.scene.host_of(id).await?).await?;
        let connector = self.scene.stage.connector(&self.scene.source)?;
        connector.connect(&answer, &master_login(), "operator").await.with_context(|| format!("connect to {id}"))
    }

    /// A parameter group with logical replication, and the restart that it takes.
    pub(super) async fn enable_logical_replication(&self) -> Result<()> {
        let group = self.scene.stage.create_group(self.scene.from, &[("rds.logical_replication", "1")]).await?;
        let modify = self.rds.modify_db_instance().db_instance_identifier(SOURCE).apply_immediately(true);
        modify.set_db_parameter_group_name(group.map(str::to_owned)).send().await.context("attach the group")?;
        self.await_instance(SOURCE, |source| parameters(source) == "pending-reboot").await?;
        self.rds.reboot_db_instance().db_instance_identifier(SOURCE).send().await.context("restart the source")?;
        self.await_instance(SOURCE, |source| parameters(source) == "in-sync").await
    }

    /// A snapshot of the source and a copy of it.
    pub(super) async fn copy_source(&self) -> Result<()> {
        let snapshot = self.rds.create_db_snapshot().db_instance_identifier(SOURCE).db_snapshot_identifier(SNAPSHOT);
        snapshot.send().await.context("create a snapshot")?;
        poll("the snapshot", async || {
            let page = self.rds.describe_db_snapshots().db_snapshot_identifier(SNAPSHOT).send().await;
            let page = page.context("describe the snapshot")?;
            Ok(page.db_snapshots().first().is_some_and(|found| found.status() == Some("available")))
        })
        .await?;
        let restore = self.rds.restore_db_instance_from_db_snapshot().db_instance_identifier(COPY);
        let restore = restore.db_snapshot_identifier(SNAPSHOT).db_instance_class("db.m6g.large");
        restore.send().await.context("restore the snapshot")?;
        self.await_instance(COPY, |copy| copy.endpoint().is_some()).await
    }

    /// Upgrade an instance to the newest version of the wanted major.
    pub(super) async fn upgrade(&self, id: &str) -> Result<()> {
        let version = self.newest_version().await?;
        // A restored instance is `available` for a moment before it is being modified once more.
        let began = Instant::now();
        loop {
            let modify = self.rds.modify_db_instance().db_instance_identifier(id).engine_version(&version);
            let modify = modify.allow_major_version_upgrade(true).apply_immediately(true);
            match modify.send().await {
                Ok(_accepted) => break,
                Err(error) if began.elapsed() > LONGEST_WAIT => return Err(error).context("upgrade the instance"),
                Err(error)
                    if error.as_service_error().is_some_and(|error| error.is_invalid_db_instance_state_fault()) => {}
                Err(error) => return Err(error).context("upgrade the instance"),
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        self.await_instance(id, |instance| instance.engine_version() == Some(&version)).await
    }

    async fn newest_version(&self) -> Result<String> {
        let describe = self.rds.describe_db_engine_versions().engine("postgres");
        let page = describe.engine_version(&self.scene.source.version).send().await.context("describe the version")?;
        let prefix = format!("{}.", self.scene.to);
        let targets = page.db_engine_versions().iter().flat_map(|version| version.valid_upgrade_target());
        let versions = targets.filter_map(|target| target.engine_version()?.strip_prefix(&prefix));
        let newest = versions.filter_map(|minor| minor.parse::<u32>().ok()).max();
        let newest =
            newest.with_context(|| format!("{} does not reach {}", self.scene.source.version, self.scene.to))?;
        Ok(format!("{prefix}{newest}"))
    }

    /// Until the instance is available and something else holds.
    async fn await_instance(&self, id: &str, holds: impl Fn(&DbInstance) -> bool) -> Result<()> {
        poll(id, async || {
            let instance = self.scene.stage.instance(id).await?;
            Ok(instance.is_some_and(|found| found.db_instance_status() == Some("available") && holds(&found)))
        })
        .await
    }

    /// Lower the record's TTL and wait until nobody keeps an answer with the old one.
    pub(super) async fn lower_ttl(&self) -> Result<()> {
        let change = self.change_record(&self.scene.source.host).await?;
        self.await_in_sync(&change).await?;
        tokio::time::sleep(OLD_TTL).await;
        Ok(())
    }

    /// Let the record lead to a host, with a low TTL; the answer is the change's id.
    pub(super) async fn change_record(&self, host: &str) -> Result<String> {
        let value = ResourceRecord::builder().value(host).build()?;
        let record = ResourceRecordSet::builder().name(RECORD).r#type(RrType::Cname).ttl(LOW_TTL);
        let record = record.resource_records(value).build()?;
        let change = Change::builder().action(ChangeAction::Upsert).resource_record_set(record).build()?;
        let change = self
            .route53
            .change_resource_record_sets()
            .hosted_zone_id(&self.scene.zone_id)
            .change_batch(ChangeBatch::builder().changes(change).build()?);
        let sent = change.send().await.context("change the record")?;
        Ok(sent.change_info().context("the change has no id")?.id().to_owned())
    }

    /// Until every name server has the change.
    pub(super) async fn await_in_sync(&self, change: &str) -> Result<()> {
        poll("the record's change", async || {
            let change = self.route53.get_change().id(change).send().await.context("look at the record's change")?;
            Ok(change.change_info().is_some_and(|info| *info.status() == ChangeStatus::Insync))
        })
        .await
    }
}

fn parameters(instance: &DbInstance) -> &str {
    let group = instance.db_parameter_groups().first();
    group.and_then(|group| group.parameter_apply_status()).unwrap_or_default()
}

/// Ask until the answer is yes.
pub(super) async fn poll(what: &str, ask: impl AsyncFn() -> Result<bool>) -> Result<()> {
    let began = Instant::now();
    while !ask().await? {
        if began.elapsed() > LONGEST_WAIT {
            bail!("wait for {what}: not done after {} s", LONGEST_WAIT.as_secs());
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    Ok(())
}
