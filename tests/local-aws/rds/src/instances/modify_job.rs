//! What a modification does in the background.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::attributes;
use super::jobs::JobFailed;
use super::modify::Work;
use crate::engine_versions;
use crate::service::Shared;
use crate::state::Status;
use crate::{delays, roles};

impl Shared {
    pub(super) async fn modify_job(self: &Arc<Self>, resource_id: &str, work: Work) -> Result<(), JobFailed> {
        self.pause(delays::BEFORE_A_CHANGE_SHOWS).await;
        let Some((identifier, was_full)) = self.with_instance(resource_id, |instance| {
            (instance.identifier.clone(), instance.status == Status::StorageFull)
        }) else {
            return Ok(());
        };
        self.set_status(resource_id, Status::Modifying);
        if work.attaches_group {
            self.settle_group(resource_id, &identifier).await;
        }
        if let Some(password) = &work.password {
            self.reset_password(resource_id, &identifier, password).await?;
        }
        let optimizes = work.queued.contains_key("AllocatedStorage") || work.queued.contains_key("StorageType");
        if !work.queued.is_empty() {
            self.apply_queued(resource_id, &identifier, &work.queued).await?;
        }
        if was_full {
            let cluster = self.cluster_of(resource_id)?;
            self.start_as_before(resource_id, &cluster).await?;
        }
        if let Some(version) = work.queued.get("EngineVersion").and_then(Value::as_str) {
            let majors = self.around.servers.majors();
            let target = engine_versions::resolve(Some(version), &majors)?;
            let group = work.queued.get("DBParameterGroupName").and_then(Value::as_str);
            self.upgrade_instance(resource_id, &identifier, target, group).await?;
        }
        self.with_instance(resource_id, |instance| {
            instance.pending.retain(|member, value| {
                let is_password = member == "MasterUserPassword" && work.password.is_some();
                !is_password && work.queued.get(member) != Some(value)
            });
        });
        if optimizes {
            self.set_status(resource_id, Status::StorageOptimization);
            self.pause(delays::MODIFYING).await;
        }
        self.set_status(resource_id, Status::Available);
        Ok(())
    }

    async fn settle_group(&self, resource_id: &str, identifier: &str) {
        self.pause(delays::APPLYING).await;
        let name = self.with_instance(resource_id, |instance| {
            instance.group.applying = instance.group.applying.saturating_sub(1);
            instance.group.name.clone()
        });
        let text = format!("Updated to use DBParameterGroup {}.", name.unwrap_or_default());
        self.tell_instance(identifier, 11, text);
    }

    async fn reset_password(&self, resource_id: &str, identifier: &str, password: &str) -> Result<(), JobFailed> {
        self.set_status(resource_id, Status::ResettingMasterCredentials);
        let cluster = self.cluster_of(resource_id)?;
        let master = self.with_instance(resource_id, |instance| instance.master_username.clone()).unwrap_or_default();
        roles::set_password(&cluster, &master, password).await?;
        self.pause(delays::APPLYING).await;
        self.tell_instance(identifier, 16, "Reset master credentials.");
        self.set_status(resource_id, Status::Modifying);
        Ok(())
    }

    async fn apply_queued(
        self: &Arc<Self>,
        resource_id: &str,
        identifier: &str,
        queued: &Map<String, Value>,
    ) -> Result<(), JobFailed> {
        let begins_backups = self.with_instance(resource_id, |instance| instance.number("BackupRetentionPeriod") == 0)
            == Some(true)
            && queued.get("BackupRetentionPeriod").and_then(Value::as_i64).is_some_and(|days| days > 0);
        let (before, after) = told(queued);
        for (number, text) in before {
            self.tell_instance(identifier, number, text);
        }
        if queued.keys().any(|member| member != "EngineVersion" && member != "DBParameterGroupName") {
            let standby = queued.get("MultiAZ") == Some(&Value::Bool(true));
            self.pause(if standby { delays::STANDBY } else { delays::MODIFYING }).await;
        }
        self.with_instance(resource_id, |instance| {
            for (member, value) in queued {
                if let Some((shown, value)) = attributes::shown(member, value) {
                    instance.attributes.insert(shown.to_owned(), value);
                }
            }
        });
        if let Some(class) = queued.get("DBInstanceClass").and_then(Value::as_str) {
            self.with_instance(resource_id, |instance| class.clone_into(&mut instance.class));
            // Another class is another machine: the server restarts and reads its group.
            self.restart_server(resource_id, false).await?;
        }
        for (number, text) in after {
            self.tell_instance(identifier, number, text);
        }
        if begins_backups {
            let gib =
                self.with_instance(resource_id, |instance| instance.number("AllocatedStorage")).unwrap_or_default();
            let nominal = delays::FIRST_BACKUP_OF_GIB * u32::try_from(gib).unwrap_or_default();
            self.back_up(resource_id, identifier, nominal).await;
        }
        if queued.get("BackupRetentionPeriod").and_then(Value::as_i64) == Some(0) {
            self.with_instance(resource_id, |instance| instance.backed_up_at = None);
        }
        Ok(())
    }
}

type Texts = Vec<(u16, &'static str)>;

/// Events before and after queued changes.
fn told(queued: &Map<String, Value>) -> (Texts, Texts) {
    let of = |member: &str, number: u16, text: &'static str| queued.contains_key(member).then_some((number, text));
    let before = [
        of("DBInstanceClass", 12, "Applying modification to database instance class."),
        of("AllocatedStorage", 18, "Applying modification to allocated storage."),
        of("MultiAZ", 24, "Applying modification to convert to a Multi-AZ DB instance."),
    ];
    let after = [
        of("DBInstanceClass", 14, "Finished applying modification to DB instance class."),
        of("AllocatedStorage", 17, "Finished applying modification to allocated storage."),
        of("MultiAZ", 25, "Finished applying modification to convert to a Multi-AZ DB instance."),
    ];
    (before.into_iter().flatten().collect(), after.into_iter().flatten().collect())
}
