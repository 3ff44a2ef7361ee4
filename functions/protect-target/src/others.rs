//! Settings without which the target serves as well. One that RDS refuses is named with the command that would set it, and the run
//! goes on; one that RDS accepts is not waited for.

use aws_sdk_rds::Client;
use aws_sdk_rds::operation::modify_db_instance::builders::ModifyDBInstanceFluentBuilder;
use aws_sdk_rds::types::{DatabaseInsightsMode, DbInstance};
use pgleap_contract::steps::{ProtectTargetOutput, Unfinished};
use pgleap_rds::growth::{self, Growth};
use pgleap_step_kit::prelude::*;

const GROWTH: &str = "limit of storage autoscaling";

/// A setting of the source that the target does not have yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Setting {
    /// Storage grows by itself up to so many GiB.
    Growth(i32),
    Monitoring {
        interval: i32,
        role: Option<String>,
    },
    Insights {
        enabled: bool,
        key: Option<String>,
        days: Option<i32>,
        mode: Option<DatabaseInsightsMode>,
    },
    MaintenanceWindow(String),
    MinorUpgrades(bool),
    DeletionProtection(bool),
}

/// All in one request; where that is refused, each by itself.
pub(crate) async fn set(
    rds: &Client,
    name: &str,
    source: &DbInstance,
    target: &DbInstance,
) -> StepResult<Polled<ProtectTargetOutput>> {
    let left = left(source, target);
    let mut unset: Vec<_> = too_near(name, source, target).into_iter().chain(managed(name, source, target)).collect();
    match ask(rds, name, &left).await {
        Ok(()) => {}
        Err(error) if is_of_the_setting(&error) && left.len() > 1 => {
            for setting in &left {
                match ask(rds, name, std::slice::from_ref(setting)).await {
                    Ok(()) => {}
                    Err(error) if is_of_the_setting(&error) => unset.push(unfinished(name, setting, &error)),
                    Err(error) => return later(name, error),
                }
            }
        }
        Err(error) if is_of_the_setting(&error) => unset.extend(left.first().map(|one| unfinished(name, one, &error))),
        Err(error) => return later(name, error),
    }
    for one in &unset {
        tracing::warn!(one.object, one.reason, one.statements, "stays unset");
    }
    Ok(Polled::Done(ProtectTargetOutput { unset }))
}

async fn ask(rds: &Client, name: &str, settings: &[Setting]) -> Result<(), AwsError> {
    if settings.is_empty() {
        return Ok(());
    }
    let modify = rds.modify_db_instance().db_instance_identifier(name).apply_immediately(true);
    let modify = settings.iter().fold(modify, apply);
    modify.send().await.doing(format!("set {settings:?} of instance {name}")).map(|_| ())
}

/// Whether asking again would meet the same.
fn is_of_the_setting(error: &AwsError) -> bool {
    !matches!(error.class, Class::WrongState | Class::Throttled | Class::Unavailable)
}

fn later(name: &str, error: AwsError) -> StepResult<Polled<ProtectTargetOutput>> {
    match error.class {
        Class::WrongState => Ok(Polled::Waiting(format!("instance {name}: {}", error.message))),
        _ => Err(error.into()),
    }
}

fn left(source: &DbInstance, target: &DbInstance) -> Vec<Setting> {
    let mut left = Vec::new();
    if let Growth::Set(limit) = growth::left(source, target) {
        left.push(Setting::Growth(limit));
    }
    let interval = source.monitoring_interval.unwrap_or(0);
    if interval != target.monitoring_interval.unwrap_or(0) {
        left.push(Setting::Monitoring { interval, role: source.monitoring_role_arn.clone().filter(|_| interval > 0) });
    }
    left.extend(insights(source, target));
    let window = source.preferred_maintenance_window.clone();
    left.extend(
        window
            .filter(|window| target.preferred_maintenance_window.as_ref() != Some(window))
            .map(Setting::MaintenanceWindow),
    );
    let minor = source.auto_minor_version_upgrade.unwrap_or(false);
    if minor != target.auto_minor_version_upgrade.unwrap_or(false) {
        left.push(Setting::MinorUpgrades(minor));
    }
    let protection = source.deletion_protection.unwrap_or(false);
    if protection != target.deletion_protection.unwrap_or(false) {
        left.push(Setting::DeletionProtection(protection));
    }
    left
}

/// The mode goes with the insights: RDS takes `advanced` only with them.
fn insights(source: &DbInstance, target: &DbInstance) -> Option<Setting> {
    let enabled = source.performance_insights_enabled.unwrap_or(false);
    let mode = source.database_insights_mode.clone().filter(|_| enabled);
    let differs = enabled != target.performance_insights_enabled.unwrap_or(false)
        || mode.as_ref().is_some_and(|mode| target.database_insights_mode.as_ref() != Some(mode));
    differs.then(|| Setting::Insights {
        enabled,
        key: source.performance_insights_kms_key_id.clone().filter(|_| enabled),
        days: source.performance_insights_retention_period.filter(|_| enabled),
        mode,
    })
}

fn apply(modify: ModifyDBInstanceFluentBuilder, setting: &Setting) -> ModifyDBInstanceFluentBuilder {
    match setting.clone() {
        Setting::Growth(limit) => modify.max_allocated_storage(limit),
        Setting::Monitoring { interval, role } => modify.monitoring_interval(interval).set_monitoring_role_arn(role),
        Setting::Insights { enabled, key, days, mode } => modify
            .enable_performance_insights(enabled)
            .set_performance_insights_kms_key_id(key)
            .set_performance_insights_retention_period(days)
            .set_database_insights_mode(mode),
        Setting::MaintenanceWindow(window) => modify.preferred_maintenance_window(window),
        Setting::MinorUpgrades(on) => modify.auto_minor_version_upgrade(on),
        Setting::DeletionProtection(on) => modify.deletion_protection(on),
    }
}

impl Setting {
    /// What it is, for people.
    fn what(&self) -> &'static str {
        match self {
            Self::Growth(_) => GROWTH,
            Self::Monitoring { .. } => "Enhanced Monitoring",
            Self::Insights { .. } => "Performance Insights",
            Self::MaintenanceWindow(_) => "maintenance window",
            Self::MinorUpgrades(_) => "automatic minor version upgrades",
            Self::DeletionProtection(_) => "deletion protection",
        }
    }

    /// The options of `aws rds modify-db-instance` that set it.
    fn options(&self) -> String {
        let flag = |name: &str, on: bool| format!("--{}{name}", if on { "" } else { "no-" });
        let option =
            |name: &str, value: Option<&str>| value.map(|value| format!(" --{name} {value}")).unwrap_or_default();
        match self {
            Self::Growth(limit) => format!("--max-allocated-storage {limit}"),
            Self::Monitoring { interval, role } => {
                format!("--monitoring-interval {interval}{}", option("monitoring-role-arn", role.as_deref()))
            }
            Self::Insights { enabled, key, days, mode } => format!(
                "{}{}{}{}",
                flag("enable-performance-insights", *enabled),
                option("performance-insights-kms-key-id", key.as_deref()),
                option("performance-insights-retention-period", days.map(|days| days.to_string()).as_deref()),
                option("database-insights-mode", mode.as_ref().map(DatabaseInsightsMode::as_str)),
            ),
            Self::MaintenanceWindow(window) => format!("--preferred-maintenance-window {window}"),
            Self::MinorUpgrades(on) => flag("auto-minor-version-upgrade", *on),
            Self::DeletionProtection(on) => flag("deletion-protection", *on),
        }
    }
}

fn unfinished(name: &str, setting: &Setting, error: &AwsError) -> Unfinished {
    let reason = format!("{} ({})", error.message, error.code);
    Unfinished {
        object: object(name, setting.what()),
        reason: reason.chars().take(Unfinished::LONGEST_REASON).collect(),
        statements: command(name, &setting.options()),
    }
}

/// A limit that RDS does not take is not asked for.
fn too_near(name: &str, source: &DbInstance, target: &DbInstance) -> Option<Unfinished> {
    let Growth::TooNear { limit, allocated } = growth::left(source, target) else { return None };
    let least = (allocated * 11 + 9) / 10;
    Some(Unfinished {
        object: object(name, GROWTH),
        reason: format!(
            "the source's limit of {limit} GiB is below 110 % of the {allocated} GiB that are allocated, which RDS refuses; the \
             target's storage does not grow by itself"
        ),
        statements: command(name, &format!("--max-allocated-storage {least}")),
    })
}

/// Turning it on changes the password at once, under the feet of clients that still use the source's secret: its owner does it
/// when they read the new one.
/// Source: Amazon RDS user guide, "Password management with Amazon RDS and AWS Secrets Manager".
fn managed(name: &str, source: &DbInstance, target: &DbInstance) -> Option<Unfinished> {
    (source.master_user_secret.is_some() && target.master_user_secret.is_none()).then(|| Unfinished {
        object: object(name, "a master password that RDS manages"),
        reason: "RDS goes on rotating the password of the source and not that of the target, which keeps the one of the cutover: \
                 the source's secret will not open the target for long. This gives the target a secret and a password of its own \
                 at once; point whoever reads the source's secret to it"
            .to_owned(),
        statements: command(name, "--manage-master-user-password"),
    })
}

fn object(name: &str, what: &str) -> String {
    format!("setting of instance {name}: {what}")
}

fn command(name: &str, options: &str) -> String {
    format!("aws rds modify-db-instance --db-instance-identifier {name} {options} --apply-immediately")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_set() {
        let plain = DbInstance::builder;
        let insights = |mode: Option<&str>| Setting::Insights {
            enabled: true,
            key: None,
            days: Some(7),
            mode: mode.map(DatabaseInsightsMode::from),
        };
        let with_insights = || plain().performance_insights_enabled(true).performance_insights_retention_period(7);
        let cases = [
            ("nothing differs", plain(), plain(), vec![]),
            (
                "protection comes last",
                plain().deletion_protection(true).auto_minor_version_upgrade(true),
                plain(),
                vec![Setting::MinorUpgrades(true), Setting::DeletionProtection(true)],
            ),
            (
                "a role only with an interval",
                plain().monitoring_interval(60).monitoring_role_arn("arn:role"),
                plain().monitoring_interval(0),
                vec![Setting::Monitoring { interval: 60, role: Some("arn:role".to_owned()) }],
            ),
            (
                "a limit",
                plain().max_allocated_storage(1_000),
                plain().allocated_storage(100),
                vec![Setting::Growth(1_000)],
            ),
            ("a limit that is too near", plain().max_allocated_storage(105), plain().allocated_storage(100), vec![]),
            ("insights", with_insights(), plain(), vec![insights(None)]),
            (
                "their mode",
                with_insights().database_insights_mode("advanced".into()),
                with_insights().database_insights_mode("standard".into()),
                vec![insights(Some("advanced"))],
            ),
            (
                "a window",
                plain().preferred_maintenance_window("sun:01:00-sun:02:00"),
                plain().preferred_maintenance_window("mon:01:00-mon:02:00"),
                vec![Setting::MaintenanceWindow("sun:01:00-sun:02:00".to_owned())],
            ),
        ];
        for (what, source, target, expected) in cases {
            assert_eq!(left(&source.build(), &target.build()), expected, "{what}");
        }
    }

    #[test]
    fn a_password_that_rds_manages_on_the_source_alone_is_named_with_the_command() {
        let plain = DbInstance::builder().build();
        let secret = aws_sdk_rds::types::MasterUserSecret::builder().build();
        let managed_by_rds = DbInstance::builder().master_user_secret(secret).build();

        let named = managed("orders-v18", &managed_by_rds, &plain).expect("it is named");
        assert!(named.statements.ends_with("--manage-master-user-password"), "{}", named.statements);
        assert!(named.reason.len() <= Unfinished::LONGEST_REASON, "{}", named.reason.len());
        for (source, target) in [(&plain, &plain), (&managed_by_rds, &managed_by_rds)] {
            assert_eq!(managed("orders-v18", source, target), None);
        }
    }

    #[test]
    fn a_limit_that_is_too_near_is_named_with_the_least_that_rds_takes() {
        let source = DbInstance::builder().max_allocated_storage(105).build();
        let target = DbInstance::builder().allocated_storage(105).build();

        let named = too_near("orders-v18", &source, &target).expect("a warning");

        assert_eq!(named.object, "setting of instance orders-v18: limit of storage autoscaling");
        assert!(named.statements.contains("--max-allocated-storage 116 "), "{}", named.statements);
    }

    #[test]
    fn a_setting_that_was_refused_comes_with_its_command() {
        let error = AwsError {
            doing: "set".to_owned(),
            class: Class::Denied,
            code: "KMSKeyNotAccessibleFault".to_owned(),
            message: "no key".to_owned(),
        };
        let key = Some("arn:key".to_owned());
        let setting = Setting::Insights { enabled: true, key, days: Some(7), mode: None };

        let named = unfinished("orders-v18", &setting, &error);

        assert_eq!(named.object, "setting of instance orders-v18: Performance Insights");
        assert_eq!(named.reason, "no key (KMSKeyNotAccessibleFault)");
        assert_eq!(
            named.statements,
            "aws rds modify-db-instance --db-instance-identifier orders-v18 --enable-performance-insights \
             --performance-insights-kms-key-id arn:key --performance-insights-retention-period 7 --apply-immediately"
        );
        assert_eq!(Setting::MinorUpgrades(false).options(), "--no-auto-minor-version-upgrade");
    }
}
