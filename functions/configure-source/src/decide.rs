//! What to do about the source's parameter group, from what RDS says of the instance.

use pgleap_contract::ErrorCode;
use pgleap_rds::Instance;
use pgleap_step_kit::instance_status::{self, Standing};

/// What the decision needs of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Association {
    /// `DBInstanceStatus`.
    pub(crate) status: String,
    /// Name of the attached group.
    pub(crate) group: Option<String>,
    /// `ParameterApplyStatus` of the attached group.
    pub(crate) apply_status: String,
    /// Something else waits to be applied.
    pub(crate) pending: bool,
}

impl Association {
    pub(crate) fn of(instance: &Instance) -> Self {
        Self {
            status: instance.status.clone(),
            group: instance.group_name().map(str::to_owned),
            apply_status: instance.parameters().to_owned(),
            pending: !instance.pending.is_empty(),
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The attached group serves.
    Done {
        reboot_needed: bool,
    },
    Wait(String),
    /// The run's own group is attached and lacks its values: an earlier call died between the two.
    SetValues {
        group: String,
    },
    MakeAndAttach {
        from: String,
    },
    Fail(ErrorCode, String),
}

/// `serves`: the attached group has the values. `own`: name of the run's group.
pub(crate) fn decide(seen: &Association, serves: bool, own: &str) -> Verdict {
    match instance_status::of_instance(&seen.status) {
        Standing::Broken => return Verdict::Fail(ErrorCode::InstanceFailed, format!("it is {}", seen.status)),
        Standing::Passing => return Verdict::Wait(format!("is {}", seen.status)),
        Standing::Usable => (),
    }
    let Some(group) = &seen.group else {
        return Verdict::Wait("shows no parameter group".to_owned());
    };
    match (serves, seen.apply_status.as_str()) {
        (_, "failed-to-apply") => {
            Verdict::Fail(ErrorCode::InstanceFailed, format!("parameter group {group} could not be applied"))
        }
        (true, "in-sync") => Verdict::Done { reboot_needed: false },
        (true, "pending-reboot") => Verdict::Done { reboot_needed: true },
        (true, other) => Verdict::Wait(format!("has parameters that are {other}")),
        (false, _) if group == own => Verdict::SetValues { group: group.clone() },
        (false, _) if seen.pending => Verdict::Fail(
            ErrorCode::PreflightBlocked,
            "a modification is pending (PendingModifiedValues); apply or cancel it first".to_owned(),
        ),
        (false, _) => Verdict::MakeAndAttach { from: group.clone() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(status: &str, group: &str, apply_status: &str) -> Association {
        Association {
            status: status.to_owned(),
            group: Some(group.to_owned()),
            apply_status: apply_status.to_owned(),
            pending: false,
        }
    }

    #[test]
    fn a_group_is_made_only_where_none_serves_and_nothing_else_is_pending() {
        let make = |from: &str| Verdict::MakeAndAttach { from: from.to_owned() };
        let wait = |reason: &str| Verdict::Wait(reason.to_owned());
        let cases = [
            (seen("available", "default.postgres13", "in-sync"), false, make("default.postgres13")),
            (seen("available", "theirs", "pending-reboot"), false, make("theirs")),
            (seen("available", "theirs", "in-sync"), true, Verdict::Done { reboot_needed: false }),
            (seen("available", "theirs", "pending-reboot"), true, Verdict::Done { reboot_needed: true }),
            (seen("available", "own", "pending-reboot"), true, Verdict::Done { reboot_needed: true }),
            (seen("available", "own", "applying"), true, wait("has parameters that are applying")),
            (seen("available", "own", "in-sync"), false, Verdict::SetValues { group: "own".to_owned() }),
            (seen("modifying", "own", "applying"), true, wait("is modifying")),
            (seen("storage-optimization", "theirs", "in-sync"), false, make("theirs")),
        ];
        for (seen, serves, verdict) in cases {
            assert_eq!(decide(&seen, serves, "own"), verdict, "{seen:?}, serves {serves}");
        }
    }

    #[test]
    fn what_no_waiting_mends_fails() {
        let pending = Association { pending: true, ..seen("available", "theirs", "in-sync") };
        let cases = [
            (seen("incompatible-parameters", "own", "in-sync"), ErrorCode::InstanceFailed),
            (seen("available", "own", "failed-to-apply"), ErrorCode::InstanceFailed),
            (pending, ErrorCode::PreflightBlocked),
        ];
        for (seen, code) in cases {
            assert!(matches!(decide(&seen, false, "own"), Verdict::Fail(found, _) if found == code), "{seen:?}");
        }
    }
}
