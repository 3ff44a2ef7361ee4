//! Settings that a restore does not take, and those that were kept back until the upgrade was done, compared with the
//! source's until nothing differs. Protection against being deleted comes last.
//! Source: Amazon RDS service model, RestoreDBInstanceFromDBSnapshot against ModifyDBInstance.

use aws_sdk_rds::Client;
use aws_sdk_rds::operation::modify_db_instance::builders::ModifyDBInstanceFluentBuilder;
use aws_sdk_rds::types::{DatabaseInsightsMode, DbInstance};
use pgleap_contract::steps::NoOutput;
use pgleap_rds::instance;
use pgleap_step_kit::prelude::*;

use crate::refusal::Attempt;

/// A setting of the source that the target does not have yet.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Setting {
    MaxAllocatedStorage(i32),
    Monitoring { interval: i32, role: Option<String> },
    PerformanceInsights { enabled: bool, key: Option<String>, days: Option<i32> },
    DatabaseInsights(DatabaseInsightsMode),
    MaintenanceWindow(String),
    MinorUpgrades(bool),
    BackupRetention(i32),
    MultiAz(bool),
    DeletionProtection(bool),
}

/// A role of the source for a feature.
type Role = (String, String);

/// One look: what differs is set, everything but the protection first.
pub(crate) async fn complete(rds: &Client, run: &Run, copy: &DbInstance) -> StepResult<Polled<NoOutput>> {
    let name = instance::target_name(run)?;
    let source = instance::describe(rds, &run.source.instance).await?.ok_or_else(|| {
        StepError::new(
            ErrorCode::InstanceFailed,
            format!("find source {}: there is no such instance", run.source.instance),
        )
    })?;
    note_managed_password(&source, copy);
    if copy.db_instance_status() != Some("available") {
        return Ok(Polled::Waiting(format!("instance {name} is {}", copy.db_instance_status().unwrap_or("unknown"))));
    }
    if let Some((role, feature)) = roles_left(&source, copy).into_iter().next() {
        return add_role(rds, name, &role, &feature).await;
    }
    let left = settings_left(&source, copy);
    if left.is_empty() {
        Attempt::forget(rds, copy).await?;
        return Ok(Polled::Done(NoOutput {}));
    }
    let modify = rds.modify_db_instance().db_instance_identifier(name).apply_immediately(true);
    let modify = left.iter().fold(modify, apply);
    match modify.send().await.doing(format!("set {left:?} of instance {name}")) {
        Ok(_) => Ok(Polled::Waiting(format!("instance {name} to take {left:?}"))),
        Err(error) if error.is(Class::WrongState) => Ok(Polled::Waiting(format!("instance {name}: {}", error.message))),
        Err(error) if error.is(Class::Refused) => Err(StepError::new(ErrorCode::InstanceFailed, error.to_string())),
        Err(error) => Err(error.into()),
    }
}

/// What differs; the protection only when nothing else does.
fn settings_left(source: &DbInstance, copy: &DbInstance) -> Vec<Setting> {
    let mut left = Vec::new();
    if let Some(limit) = source.max_allocated_storage.filter(|limit| copy.max_allocated_storage != Some(*limit)) {
        left.push(Setting::MaxAllocatedStorage(limit));
    }
    let interval = source.monitoring_interval.unwrap_or(0);
    if interval != copy.monitoring_interval.unwrap_or(0) {
        left.push(Setting::Monitoring { interval, role: source.monitoring_role_arn.clone().filter(|_| interval > 0) });
    }
    let insights = source.performance_insights_enabled.unwrap_or(false);
    if insights != copy.performance_insights_enabled.unwrap_or(false) {
        let (key, days) =
            (source.performance_insights_kms_key_id.clone(), source.performance_insights_retention_period);
        left.push(Setting::PerformanceInsights {
            enabled: insights,
            key: key.filter(|_| insights),
            days: days.filter(|_| insights),
        });
    }
    if let Some(mode) = source
        .database_insights_mode
        .clone()
        .filter(|mode| insights && copy.database_insights_mode.as_ref() != Some(mode))
    {
        left.push(Setting::DatabaseInsights(mode));
    }
    if let Some(window) = source
        .preferred_maintenance_window
        .clone()
        .filter(|window| copy.preferred_maintenance_window.as_ref() != Some(window))
    {
        left.push(Setting::MaintenanceWindow(window));
    }
    let minor = source.auto_minor_version_upgrade.unwrap_or(false);
    if minor != copy.auto_minor_version_upgrade.unwrap_or(false) {
        left.push(Setting::MinorUpgrades(minor));
    }
    let days = source.backup_retention_period.unwrap_or(0);
    if days != copy.backup_retention_period.unwrap_or(0) {
        left.push(Setting::BackupRetention(days));
    }
    let zones = source.multi_az.unwrap_or(false);
    if zones != copy.multi_az.unwrap_or(false) {
        left.push(Setting::MultiAz(zones));
    }
    let protection = source.deletion_protection.unwrap_or(false);
    if left.is_empty() && protection != copy.deletion_protection.unwrap_or(false) {
        left.push(Setting::DeletionProtection(protection));
    }
    left
}

fn apply(modify: ModifyDBInstanceFluentBuilder, setting: &Setting) -> ModifyDBInstanceFluentBuilder {
    match setting.clone() {
        Setting::MaxAllocatedStorage(limit) => modify.max_allocated_storage(limit),
        Setting::Monitoring { interval, role } => modify.monitoring_interval(interval).set_monitoring_role_arn(role),
        Setting::PerformanceInsights { enabled, key, days } => modify
            .enable_performance_insights(enabled)
            .set_performance_insights_kms_key_id(key)
            .set_performance_insights_retention_period(days),
        Setting::DatabaseInsights(mode) => modify.database_insights_mode(mode),
        Setting::MaintenanceWindow(window) => modify.preferred_maintenance_window(window),
        Setting::MinorUpgrades(on) => modify.auto_minor_version_upgrade(on),
        Setting::BackupRetention(days) => modify.backup_retention_period(days),
        Setting::MultiAz(on) => modify.multi_az(on),
        Setting::DeletionProtection(on) => modify.deletion_protection(on),
    }
}

fn roles_left(source: &DbInstance, copy: &DbInstance) -> Vec<Role> {
    let roles = |instance: &DbInstance| -> Vec<Role> {
        let roles = instance.associated_roles().iter();
        roles.filter_map(|role| Some((role.role_arn.clone()?, role.feature_name.clone()?))).collect()
    };
    let has = roles(copy);
    roles(source).into_iter().filter(|role| !has.contains(role)).collect()
}

async fn add_role(rds: &Client, name: &str, role: &str, feature: &str) -> StepResult<Polled<NoOutput>> {
    let add = rds.add_role_to_db_instance().db_instance_identifier(name).role_arn(role).feature_name(feature);
    match add.send().await.doing(format!("add role {role} for {feature} to instance {name}")) {
        Ok(_) => Ok(Polled::Waiting(format!("instance {name} to take role {role}"))),
        Err(error) if error.is(Class::WrongState) || error.is(Class::AlreadyThere) => {
            Ok(Polled::Waiting(format!("instance {name}: {}", error.message)))
        }
        Err(error) => Err(error.into()),
    }
}

/// Letting RDS manage the target's password would change it under the run, which uses the source's on both sides.
fn note_managed_password(source: &DbInstance, copy: &DbInstance) {
    if source.master_user_secret().is_some() && copy.master_user_secret().is_none() {
        tracing::warn!("the source's master password is managed by RDS; turn that on for the target after the run");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_rds::types::DbInstanceRole;

    #[test]
    fn what_differs_is_set_and_protection_comes_last() {
        let plain = || DbInstance::builder().backup_retention_period(0).multi_az(false).deletion_protection(false);
        let cases = [
            ("nothing differs", plain().build(), plain().build(), vec![]),
            (
                "protection alone",
                plain().deletion_protection(true).build(),
                plain().build(),
                vec![Setting::DeletionProtection(true)],
            ),
            (
                "protection waits for the others",
                plain().deletion_protection(true).multi_az(true).backup_retention_period(7).build(),
                plain().build(),
                vec![Setting::BackupRetention(7), Setting::MultiAz(true)],
            ),
            (
                "a role only with an interval",
                plain().monitoring_interval(60).monitoring_role_arn("arn:role").build(),
                plain().monitoring_interval(0).build(),
                vec![Setting::Monitoring { interval: 60, role: Some("arn:role".to_owned()) }],
            ),
            (
                "insights",
                plain().performance_insights_enabled(true).performance_insights_retention_period(7).build(),
                plain().build(),
                vec![Setting::PerformanceInsights { enabled: true, key: None, days: Some(7) }],
            ),
            (
                "a window",
                plain().preferred_maintenance_window("sun:01:00-sun:02:00").build(),
                plain().preferred_maintenance_window("mon:01:00-mon:02:00").build(),
                vec![Setting::MaintenanceWindow("sun:01:00-sun:02:00".to_owned())],
            ),
            (
                "an upper limit",
                plain().max_allocated_storage(1_000).build(),
                plain().build(),
                vec![Setting::MaxAllocatedStorage(1_000)],
            ),
        ];
        for (what, source, copy, left) in cases {
            assert_eq!(settings_left(&source, &copy), left, "{what}");
        }
    }

    #[test]
    fn roles_are_added_once() {
        let role = |arn: &str| DbInstanceRole::builder().role_arn(arn).feature_name("s3Import").build();
        let source = DbInstance::builder().associated_roles(role("a")).associated_roles(role("b")).build();
        let copy = DbInstance::builder().associated_roles(role("a")).build();

        assert_eq!(roles_left(&source, &copy), [("b".to_owned(), "s3Import".to_owned())]);
    }
}
