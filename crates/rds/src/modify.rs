//! What is done to an instance: modified, rebooted, deleted.

use aws_sdk_rds::config::retry::RetryConfig;
use pgleap_step_kit::aws::{AwsError, Doing};

use crate::{Insights, Monitoring, Rds, Role};

/// What a modification of an instance changes; what is none stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// At once, and whatever else is pending with it; else what can wait does so until the maintenance window.
    pub at_once: bool,
    /// Another version, of another major too.
    pub engine_version: Option<String>,
    /// Another parameter group. It is associated at once in any case.
    pub parameter_group: Option<String>,
    /// With a standby, or without.
    pub multi_az: Option<bool>,
    /// Days for which backups are kept; 0: none.
    pub backup_days: Option<i32>,
    /// How far storage grows by itself, in GiB.
    pub grows_to_gib: Option<i32>,
    /// Enhanced Monitoring.
    pub monitoring: Option<Monitoring>,
    /// Performance Insights.
    pub insights: Option<Insights>,
    /// `sun:01:00-sun:02:00`, in UTC.
    pub maintenance_window: Option<String>,
    /// Minor versions are upgraded in the window, or are not.
    pub minor_upgrades: Option<bool>,
    /// It cannot be deleted, or can.
    pub deletion_protection: Option<bool>,
}

impl Rds {
    /// Modify an instance. `doing`: verb and object, for an error.
    pub async fn modify(&self, name: &str, change: Change, doing: String) -> Result<(), AwsError> {
        let monitoring = change.monitoring;
        let insights = change.insights;
        let modify = self
            .client
            .modify_db_instance()
            .db_instance_identifier(name)
            .apply_immediately(change.at_once)
            .set_allow_major_version_upgrade(change.engine_version.as_ref().map(|_| true))
            .set_engine_version(change.engine_version)
            .set_db_parameter_group_name(change.parameter_group)
            .set_multi_az(change.multi_az)
            .set_backup_retention_period(change.backup_days)
            .set_max_allocated_storage(change.grows_to_gib)
            .set_monitoring_interval(monitoring.as_ref().map(|monitoring| monitoring.interval))
            .set_monitoring_role_arn(monitoring.and_then(|monitoring| monitoring.role))
            .set_enable_performance_insights(insights.as_ref().map(|insights| insights.enabled))
            .set_performance_insights_retention_period(insights.as_ref().and_then(|insights| insights.days))
            .set_database_insights_mode(insights.as_ref().and_then(|insights| Some(insights.mode.as_deref()?.into())))
            .set_performance_insights_kms_key_id(insights.and_then(|insights| insights.key))
            .set_preferred_maintenance_window(change.maintenance_window)
            .set_auto_minor_version_upgrade(change.minor_upgrades)
            .set_deletion_protection(change.deletion_protection);
        modify.send().await.doing(doing).map(|_modified| ())
    }

    /// Reboot an instance.
    pub async fn reboot(&self, name: &str) -> Result<(), AwsError> {
        let answer = self.client.reboot_db_instance().db_instance_identifier(name).send().await;
        answer.doing(format!("reboot instance {name}")).map(|_reboots| ())
    }

    /// Reboot an instance that people use: never with a failover, because static parameters take hold only in a reboot
    /// without one, and never asked for twice by the SDK itself: where the answer was lost and the reboot was quick, that
    /// would be a second one.
    /// Source: Amazon RDS user guide, "Rebooting a DB instance".
    pub async fn reboot_once(&self, name: &str) -> Result<(), AwsError> {
        let once = aws_sdk_rds::config::Builder::new().retry_config(RetryConfig::disabled());
        let reboot = self.client.reboot_db_instance().db_instance_identifier(name).force_failover(false);
        let answer = reboot.customize().config_override(once).send().await;
        answer.doing(format!("reboot instance {name}")).map(|_reboots| ())
    }

    /// Let an instance take a role for a feature.
    pub async fn add_role(&self, name: &str, role: &Role) -> Result<(), AwsError> {
        let Role { arn, feature } = role;
        let add =
            self.client.add_role_to_db_instance().db_instance_identifier(name).role_arn(arn).feature_name(feature);
        add.send().await.doing(format!("add role {arn} for {feature} to instance {name}")).map(|_added| ())
    }

    /// Delete an instance with its automated backups and without a last snapshot.
    pub async fn delete_instance(&self, name: &str) -> Result<(), AwsError> {
        let delete = self.client.delete_db_instance().db_instance_identifier(name);
        let answer = delete.skip_final_snapshot(true).delete_automated_backups(true).send().await;
        answer.doing(format!("delete instance {name}")).map(|_deleted| ())
    }
}
