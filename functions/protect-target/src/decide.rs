//! Whether the target has the source's standby and backups. Pure.

use aws_sdk_rds::types::DbInstance;
use pgleap_rds::instance;
use pgleap_step_kit::instance_status::{self, Standing};

/// What a cutover waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Protection {
    MultiAz(bool),
    /// Days for which backups are kept; 0: there are none.
    BackupDays(i32),
}

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Wait(String),
    Protect(Vec<Protection>),
    Protected,
    Fail(String),
}

pub(crate) fn decide(source: &DbInstance, target: &DbInstance) -> Verdict {
    let status = target.db_instance_status().unwrap_or("unknown");
    match instance_status::of_instance(status) {
        Standing::Broken => return Verdict::Fail(format!("it is {status}")),
        Standing::Passing => return Verdict::Wait(format!("is {}", instance::status(target))),
        Standing::Usable => (),
    }
    // RDS may say `available` for some seconds after it has accepted a change.
    let pending = target.pending_modified_values();
    if pending.is_some_and(|pending| pending.multi_az.is_some() || pending.backup_retention_period.is_some()) {
        return Verdict::Wait(format!("is {status}, a change is pending"));
    }
    let mut wanted = Vec::new();
    let zones = source.multi_az().unwrap_or(false);
    if zones != target.multi_az().unwrap_or(false) {
        wanted.push(Protection::MultiAz(zones));
    }
    let days = source.backup_retention_period().unwrap_or(0);
    if days != target.backup_retention_period().unwrap_or(0) {
        wanted.push(Protection::BackupDays(days));
    }
    if !wanted.is_empty() {
        return Verdict::Protect(wanted);
    }
    // Backups that are on and have never ended protect nobody.
    if days > 0 && target.latest_restorable_time().is_none() {
        return Verdict::Wait("has no backup that it could be restored from".to_owned());
    }
    Verdict::Protected
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_rds::primitives::DateTime;
    use aws_sdk_rds::types::PendingModifiedValues;
    use aws_sdk_rds::types::builders::DbInstanceBuilder;

    fn instance(multi_az: bool, days: i32) -> DbInstanceBuilder {
        DbInstance::builder().db_instance_status("available").multi_az(multi_az).backup_retention_period(days)
    }

    #[test]
    fn a_cutover_waits_for_the_standby_and_a_first_backup() {
        let restorable = |instance: DbInstanceBuilder| instance.latest_restorable_time(DateTime::from_secs(1));
        let pending = PendingModifiedValues::builder().multi_az(true).build();
        let wait = |reason: &str| Verdict::Wait(reason.to_owned());
        let cases = [
            ("nothing on either", instance(false, 0), instance(false, 0), Verdict::Protected),
            (
                "both are wanted",
                instance(true, 7),
                instance(false, 0),
                Verdict::Protect(vec![Protection::MultiAz(true), Protection::BackupDays(7)]),
            ),
            (
                "a standby is wanted",
                instance(true, 0),
                instance(false, 0),
                Verdict::Protect(vec![Protection::MultiAz(true)]),
            ),
            (
                "it is on its way",
                instance(true, 0),
                instance(false, 0).pending_modified_values(pending),
                wait("is available, a change is pending"),
            ),
            (
                "it is backed up",
                instance(false, 7),
                instance(false, 7).db_instance_status("backing-up"),
                wait("is backing-up"),
            ),
            (
                "it was never backed up",
                instance(false, 7),
                instance(false, 7),
                wait("has no backup that it could be restored from"),
            ),
            ("all is there", instance(true, 7), restorable(instance(true, 7)), Verdict::Protected),
            (
                "it is broken",
                instance(true, 7),
                instance(false, 0).db_instance_status("storage-full"),
                Verdict::Fail("it is storage-full".to_owned()),
            ),
        ];
        for (what, source, target, verdict) in cases {
            assert_eq!(decide(&source.build(), &target.build()), verdict, "{what}");
        }
    }
}
