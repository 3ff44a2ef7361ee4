//! Upgrades in place: prechecks of RDS, then the real `pg_upgrade`, or back to the old version as if nothing had been.

mod precheck;
mod report;

use std::sync::Arc;

use local_aws_postgres::{Cluster, Shutdown};

use crate::engine_versions::EngineVersion;
use crate::faults::PlannedFault;
use crate::instances::JobFailed;
use crate::parameter_groups::{default_group, lock_settings};
use crate::service::Shared;
use crate::state::{AttachedGroup, Seed, Status, StoredLog};
use crate::{delays, roles};

/// Files and texts.
type Logs = Vec<(String, String)>;

impl Shared {
    /// Bring an instance to another version. A refusal by a precheck or by `pg_upgrade` is no failure of this job:
    /// the instance then serves the old version again, and events and logs tell why.
    pub(crate) async fn upgrade_instance(
        self: &Arc<Self>,
        resource_id: &str,
        identifier: &str,
        target: &'static EngineVersion,
        group: Option<&str>,
    ) -> Result<(), JobFailed> {
        let about =
            self.with_instance(resource_id, |instance| (instance.version, instance.number("BackupRetentionPeriod")));
        let Some((from, retention)) = about else { return Ok(()) };
        if retention > 0 {
            self.back_up(resource_id, identifier, delays::BACKING_UP).await;
        }
        self.set_status(resource_id, Status::Upgrading);
        let upgraded = if from.major == target.major {
            self.upgrade_minor(resource_id, target).await.map(|()| true)
        } else {
            let group = group.map_or_else(|| default_group(target.major), str::to_ascii_lowercase);
            self.with_instance(resource_id, |instance| instance.group.upgrading = true);
            let upgraded = self.upgrade_major(resource_id, identifier, (from, target), group).await;
            self.with_instance(resource_id, |instance| instance.group.upgrading = false);
            upgraded
        };
        if upgraded? && retention > 0 {
            self.back_up(resource_id, identifier, delays::BACKING_UP).await;
        }
        Ok(())
    }

    /// The server stays the installed one of its major; it restarts, as it would.
    async fn upgrade_minor(
        self: &Arc<Self>,
        resource_id: &str,
        target: &'static EngineVersion,
    ) -> Result<(), JobFailed> {
        self.restart_server(resource_id, false).await?;
        self.pause(delays::UPGRADING).await;
        self.with_instance(resource_id, |instance| instance.version = target);
        Ok(())
    }

    /// Whether the instance is on the new major afterwards.
    async fn upgrade_major(
        self: &Arc<Self>,
        resource_id: &str,
        identifier: &str,
        (from, target): (&'static EngineVersion, &'static EngineVersion),
        group: String,
    ) -> Result<bool, JobFailed> {
        let old = self.cluster_of(resource_id)?;
        self.tell_instance(identifier, 264, "The upgrade prechecks have started.");
        self.pause(delays::PRECHECK).await;
        let catalog = self.catalogs.of(target.major).await?;
        let mut findings = precheck::look(&old, &catalog).await?;
        findings.instance.extend(self.planned_refusal(resource_id));
        self.tell_instance(identifier, 265, "The upgrade prechecks have finished.");
        if let Some(report) = report::render(&findings, from.text, target.text, self.now()) {
            self.keep_logs(resource_id, vec![("pg_upgrade_precheck.log".to_owned(), report)]);
            self.tell_instance(identifier, 158, report::event_text(&findings));
            self.tell_instance(identifier, 270, rolled_back(from, target));
            return Ok(false);
        }

        self.tell_instance(identifier, 266, "The downtime for the upgrade has started.");
        old.stop(Shutdown::Fast).await?;
        self.tell_instance(identifier, 267, format!("The upgrade from {} to {} has started.", from.text, target.text));
        let about = self.with_instance(resource_id, |instance| {
            (instance.cluster_name_on(target.major), lock_settings(&instance.running))
        });
        let (name, settings) = about.ok_or_else(|| anyhow::anyhow!("the instance is gone"))?;
        let upgrade = old.upgrade(target.major, &name, &settings);
        let ((), outcome) = tokio::join!(self.pause(delays::UPGRADING), upgrade);
        match outcome {
            Ok((new, logs)) => {
                self.keep_logs(resource_id, logs);
                self.move_to(resource_id, identifier, target, group, (old, new)).await?;
                Ok(true)
            }
            Err(failure) => {
                tracing::info!(identifier, %failure, "pg_upgrade refused");
                self.keep_logs(resource_id, failure.logs);
                self.start_as_before(resource_id, &old).await?;
                self.tell_instance(identifier, 270, rolled_back(from, target));
                Ok(false)
            }
        }
    }

    /// Serve the new cluster with its own group and let the old one go.
    async fn move_to(
        self: &Arc<Self>,
        resource_id: &str,
        identifier: &str,
        target: &'static EngineVersion,
        group: String,
        (old, new): (Arc<Cluster>, Cluster),
    ) -> Result<(), JobFailed> {
        let old_log = self.stored_server_log(resource_id);
        let new = Arc::new(new);
        self.with_instance(resource_id, |instance| {
            instance.version = target;
            instance.group = AttachedGroup::in_sync(group);
            instance.logs.extend(old_log);
            if let Some(origin) = &mut instance.origin {
                origin.seed = Seed::Unknown;
            }
        });
        self.start_with_group(resource_id, &new).await?;
        self.tell_instance(identifier, 268, "The upgrade has finished.");
        roles::complete(&new).await?;
        self.put_in_service(resource_id, new);
        self.lose_slot(resource_id);
        self.tell_instance(identifier, 269, "The post-upgrade tasks are in progress.");
        if let Some(old) = Arc::into_inner(old) {
            old.remove().await?;
        }
        Ok(())
    }

    fn planned_refusal(&self, resource_id: &str) -> Option<String> {
        let take = |faults: &mut Vec<PlannedFault>| {
            let place = faults.iter().position(|fault| matches!(fault, PlannedFault::FailPrecheck(_)))?;
            match faults.remove(place) {
                PlannedFault::FailPrecheck(reason) => Some(reason),
                _ => None,
            }
        };
        self.with_instance(resource_id, |instance| take(&mut instance.planned_faults)).flatten()
    }

    fn keep_logs(&self, resource_id: &str, logs: Logs) {
        let written_at = self.now();
        let stamp = (written_at * 1000.0) as i64;
        self.with_instance(resource_id, |instance| {
            let stamped =
                logs.into_iter().map(|(name, text)| StoredLog { name: format!("{name}.{stamp}"), text, written_at });
            instance.logs.extend(stamped);
        });
    }
}

fn rolled_back(from: &EngineVersion, target: &EngineVersion) -> String {
    format!("The upgrade from {} to {} failed and was rolled back.", from.text, target.text)
}
