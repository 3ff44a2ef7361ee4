//! Whether the target has the source's standby and backups. Pure.

use pgleap_rds::Instance;
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

pub(crate) fn decide(source: &Instance, target: &Instance) -> Verdict {
    let status = &target.status;
    match instance_status::of_instance(status) {
        Standing::Broken => return Verdict::Fail(format!("it is {status}")),
        Standing::Passing => return Verdict::Wait(format!("is {}", target.status_text())),
        Standing::Usable => (),
    }
    // RDS may say `available` for some seconds after it has accepted a change.
    if target.pending.has_any(&["MultiAZ", "BackupRetentionPeriod"]) {
        return Verdict::Wait(format!("is {status}, and a change is pending"));
    }
    let mut wanted = Vec::new();
    if source.multi_az != target.multi_az {
        wanted.push(Protection::MultiAz(source.multi_az));
    }
    if source.backup_days != target.backup_days {
        wanted.push(Protection::BackupDays(source.backup_days));
    }
    if !wanted.is_empty() {
        return Verdict::Protect(wanted);
    }
    // Backups that are on and have never ended protect nobody.
    if source.backup_days > 0 && !target.is_restorable {
        return Verdict::Wait("has no backup yet from which it can be restored".to_owned());
    }
    Verdict::Protected
}

#[cfg(test)]
mod tests {
    use super::*;
    use pgleap_rds::Pending;

    fn instance(multi_az: bool, backup_days: i32) -> Instance {
        Instance { status: "available".to_owned(), multi_az, backup_days, ..Instance::default() }
    }

    fn with_status(instance: Instance, status: &str) -> Instance {
        Instance { status: status.to_owned(), ..instance }
    }

    #[test]
    fn a_cutover_waits_for_the_standby_and_a_first_backup() {
        let restorable = |instance| Instance { is_restorable: true, ..instance };
        let pending = Pending { names: vec!["MultiAZ"], ..Pending::default() };
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
                Instance { pending, ..instance(false, 0) },
                wait("is available, and a change is pending"),
            ),
            (
                "it is backed up",
                instance(false, 7),
                with_status(instance(false, 7), "backing-up"),
                wait("is backing-up"),
            ),
            (
                "it was never backed up",
                instance(false, 7),
                instance(false, 7),
                wait("has no backup yet from which it can be restored"),
            ),
            ("all is there", instance(true, 7), restorable(instance(true, 7)), Verdict::Protected),
            (
                "it is broken",
                instance(true, 7),
                with_status(instance(false, 0), "storage-full"),
                Verdict::Fail("it is storage-full".to_owned()),
            ),
        ];
        for (what, source, target, verdict) in cases {
            assert_eq!(decide(&source, &target), verdict, "{what}");
        }
    }
}
