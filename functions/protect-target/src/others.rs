//! Settings without which the target serves as well. One that RDS refuses is named with the command that would set it, and the run
//! goes on; one that RDS accepts is not waited for.

use pgleap_contract::FailBack;
use pgleap_contract::steps::{ProtectTargetOutput, Unfinished};
use pgleap_rds::growth::{self, Growth};
use pgleap_rds::{Change, Insights, Instance, Monitoring, Rds};
use pgleap_step_kit::prelude::*;

const GROWTH: &str = "limit of storage autoscaling";

/// A setting of the source that the target does not have yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Setting {
    /// Storage grows by itself up to so many GiB.
    Growth(i32),
    Monitoring(Monitoring),
    Insights(Insights),
    MaintenanceWindow(String),
    MinorUpgrades(bool),
    DeletionProtection(bool),
}

/// All in one request; where that is refused, each by itself.
pub(crate) async fn set(
    rds: &Rds,
    run: &Run,
    name: &str,
    source: &Instance,
    target: &Instance,
) -> StepResult<Polled<ProtectTargetOutput>> {
    let left = left(source, target);
    let mut unset: Vec<_> = too_near(name, source, target)
        .into_iter()
        .chain(managed(name, source, target, run.fail_back.as_ref()))
        .collect();
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
        tracing::warn!(one.object, one.reason, one.statements, "the run could not set a setting of the target");
    }
    Ok(Polled::Done(ProtectTargetOutput { unset }))
}

async fn ask(rds: &Rds, name: &str, settings: &[Setting]) -> Result<(), AwsError> {
    if settings.is_empty() {
        return Ok(());
    }
    let mut change = Change { at_once: true, ..Change::default() };
    settings.iter().for_each(|setting| setting.add_to(&mut change));
    rds.modify(name, change, format!("set {settings:?} of instance {name}")).await
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

fn left(source: &Instance, target: &Instance) -> Vec<Setting> {
    let mut left = Vec::new();
    if let Growth::Set(limit) = growth::left(source, target) {
        left.push(Setting::Growth(limit));
    }
    let interval = source.monitoring.interval;
    if interval != target.monitoring.interval {
        let role = source.monitoring.role.clone().filter(|_| interval > 0);
        left.push(Setting::Monitoring(Monitoring { interval, role }));
    }
    left.extend(insights(source, target));
    let window = source.maintenance_window.clone();
    left.extend(
        window.filter(|window| target.maintenance_window.as_ref() != Some(window)).map(Setting::MaintenanceWindow),
    );
    if source.minor_upgrades != target.minor_upgrades {
        left.push(Setting::MinorUpgrades(source.minor_upgrades));
    }
    if source.deletion_protection != target.deletion_protection {
        left.push(Setting::DeletionProtection(source.deletion_protection));
    }
    left
}

/// The mode goes with the insights: RDS takes `advanced` only with them.
fn insights(source: &Instance, target: &Instance) -> Option<Setting> {
    let Insights { enabled, key, days, mode } = source.insights.clone();
    let mode = mode.filter(|_| enabled);
    let differs = enabled != target.insights.enabled || (mode.is_some() && target.insights.mode != mode);
    let wanted = Insights { enabled, key: key.filter(|_| enabled), days: days.filter(|_| enabled), mode };
    differs.then_some(Setting::Insights(wanted))
}

impl Setting {
    fn add_to(&self, change: &mut Change) {
        match self.clone() {
            Self::Growth(limit) => change.grows_to_gib = Some(limit),
            Self::Monitoring(monitoring) => change.monitoring = Some(monitoring),
            Self::Insights(insights) => change.insights = Some(insights),
            Self::MaintenanceWindow(window) => change.maintenance_window = Some(window),
            Self::MinorUpgrades(on) => change.minor_upgrades = Some(on),
            Self::DeletionProtection(on) => change.deletion_protection = Some(on),
        }
    }

    /// What it is, for people.
    fn what(&self) -> &'static str {
        match self {
            Self::Growth(_) => GROWTH,
            Self::Monitoring(_) => "Enhanced Monitoring",
            Self::Insights(_) => "Performance Insights",
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
            Self::Monitoring(Monitoring { interval, role }) => {
                format!("--monitoring-interval {interval}{}", option("monitoring-role-arn", role.as_deref()))
            }
            Self::Insights(Insights { enabled, key, days, mode }) => format!(
                "{}{}{}{}",
                flag("enable-performance-insights", *enabled),
                option("performance-insights-kms-key-id", key.as_deref()),
                option("performance-insights-retention-period", days.map(|days| days.to_string()).as_deref()),
                option("database-insights-mode", mode.as_deref()),
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
fn too_near(name: &str, source: &Instance, target: &Instance) -> Option<Unfinished> {
    let Growth::TooNear { limit, allocated } = growth::left(source, target) else { return None };
    let least = (allocated * 11 + 9) / 10;
    Some(Unfinished {
        object: object(name, GROWTH),
        reason: format!(
            "the source's limit of {limit} GiB is below 110 % of the {allocated} GiB that are allocated, which RDS \
             refuses; the target's storage does not grow automatically"
        ),
        statements: command(name, &format!("--max-allocated-storage {least}")),
    })
}

/// Turning it on changes the password at once, under the feet of clients that still use the source's secret: its owner does it
/// when they read the new one.
/// While the source follows the target (`failBack`), it must not happen at all: going back uses one login of the owner on both
/// sides, and with a password of RDS's own the target would have another one than the source, changed again at every rotation.
/// Source: Amazon RDS user guide, "Password management with Amazon RDS and AWS Secrets Manager".
fn managed(name: &str, source: &Instance, target: &Instance, fail_back: Option<&FailBack>) -> Option<Unfinished> {
    let reason = match fail_back {
        None => "RDS rotates the password of the source, but not that of the target, so the source's secret will \
                 soon not work for the target. The command immediately gives the target a secret and a password of its \
                 own; point everything that reads the source's secret to the new one"
            .to_owned(),
        Some(FailBack { keep_hours }) => format!(
            "RDS manages the password of the source only. Do not run the command before failing back has ended ({keep_hours} h \
             after the cutover): until then, both need the same password. It gives the target a secret of its own; \
             point everything that reads the source's secret to it"
        ),
    };
    (source.managed_secret.is_some() && target.managed_secret.is_none()).then(|| Unfinished {
        object: object(name, "a master password that RDS manages"),
        reason,
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
        let plain = Instance::default;
        let text = |text: &str| Some(text.to_owned());
        let insights = |mode| Insights { enabled: true, key: None, days: Some(7), mode };
        let with_insights = |mode| Instance { insights: insights(mode), ..plain() };
        let monitored = |interval, role| Instance { monitoring: Monitoring { interval, role }, ..plain() };
        let in_window = |window: &str| Instance { maintenance_window: Some(window.to_owned()), ..plain() };
        let grows_to = |gib| Instance { grows_to_gib: Some(gib), ..plain() };
        let of_100_gib = || Instance { storage_gib: Some(100), ..plain() };
        let cases = [
            ("nothing differs", plain(), plain(), vec![]),
            (
                "protection comes last",
                Instance { deletion_protection: true, minor_upgrades: true, ..plain() },
                plain(),
                vec![Setting::MinorUpgrades(true), Setting::DeletionProtection(true)],
            ),
            (
                "a role only with an interval",
                monitored(60, text("arn:role")),
                monitored(0, None),
                vec![Setting::Monitoring(Monitoring { interval: 60, role: text("arn:role") })],
            ),
            ("a limit", grows_to(1_000), of_100_gib(), vec![Setting::Growth(1_000)]),
            ("a limit that is too near", grows_to(105), of_100_gib(), vec![]),
            ("insights", with_insights(None), plain(), vec![Setting::Insights(insights(None))]),
            (
                "their mode",
                with_insights(text("advanced")),
                with_insights(text("standard")),
                vec![Setting::Insights(insights(text("advanced")))],
            ),
            (
                "a window",
                in_window("sun:01:00-sun:02:00"),
                in_window("mon:01:00-mon:02:00"),
                vec![Setting::MaintenanceWindow("sun:01:00-sun:02:00".to_owned())],
            ),
        ];
        for (what, source, target, expected) in cases {
            assert_eq!(left(&source, &target), expected, "{what}");
        }
    }

    #[test]
    fn a_password_that_rds_manages_on_the_source_alone_is_named_with_the_command() {
        let plain = Instance::default();
        let managed_by_rds = Instance { managed_secret: Some("arn".to_owned()), ..Instance::default() };

        let three_days = FailBack { keep_hours: 72 };
        for (fail_back, waits) in [(None, false), (Some(&three_days), true)] {
            let named = managed("orders-v18", &managed_by_rds, &plain, fail_back).expect("it is named");
            assert!(named.statements.contains("--manage-master-user-password --apply-immediately"), "{named:?}");
            assert!(named.reason.len() <= Unfinished::LONGEST_REASON, "{}", named.reason.len());
            assert_eq!(named.reason.contains("Do not run the command before failing back has ended (72 h"), waits);
        }
        for (source, target) in [(&plain, &plain), (&managed_by_rds, &managed_by_rds)] {
            assert_eq!(managed("orders-v18", source, target, None), None);
        }
    }

    #[test]
    fn a_limit_that_is_too_near_is_named_with_the_least_that_rds_takes() {
        let source = Instance { grows_to_gib: Some(105), ..Instance::default() };
        let target = Instance { storage_gib: Some(105), ..Instance::default() };

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
            advice: None,
        };
        let key = Some("arn:key".to_owned());
        let setting = Setting::Insights(Insights { enabled: true, key, days: Some(7), mode: None });

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
