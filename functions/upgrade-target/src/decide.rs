//! What is next on the way, by the version that the copy has now. Pure.

use pgleap_contract::steps::{UpgradeHop, UpgradeWay};
use pgleap_rds::Instance;
use pgleap_step_kit::instance_status::{self, Standing};

/// The copy, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) status: String,
    pub(crate) version: String,
    /// A change that RDS has accepted and not begun: it may say `available` for some seconds meanwhile.
    pub(crate) pending: bool,
    pub(crate) group: String,
    pub(crate) group_status: String,
}

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict<'a> {
    Wait(String),
    Upgrade(&'a UpgradeHop),
    Reboot,
    /// The wanted version is reached: settings are left.
    Complete,
    Fail(String),
}

impl Seen {
    pub(crate) fn of(copy: &Instance) -> Self {
        Self {
            status: copy.status.clone(),
            version: copy.version.clone(),
            pending: copy.pending.has_any(&["EngineVersion", "MultiAZ", "BackupRetentionPeriod"]),
            group: copy.group_name().unwrap_or("unknown").to_owned(),
            group_status: copy.parameters().to_owned(),
        }
    }
}

pub(crate) fn decide<'a>(seen: &Seen, way: &'a UpgradeWay, final_group: &str) -> Verdict<'a> {
    let Seen { status, version, .. } = seen;
    match instance_status::of_instance(status) {
        Standing::Broken => return Verdict::Fail(format!("it is {status}")),
        Standing::Passing => return Verdict::Wait(format!("is {status}, on {version}")),
        Standing::Usable => (),
    }
    if seen.pending {
        return Verdict::Wait(format!("is {status}, and a change is pending"));
    }
    let reached = way.hops.iter().position(|hop| hop.version == *version);
    let next = match reached {
        Some(at) => way.hops.get(at + 1),
        None if *version == way.from => way.hops.first(),
        None => return Verdict::Fail(format!("it has version {version}, which is not on the path from {}", way.from)),
    };
    if let Some(hop) = next {
        return Verdict::Upgrade(hop);
    }
    if seen.group != final_group {
        return Verdict::Fail(format!("it uses parameter group {} instead of {final_group}", seen.group));
    }
    match seen.group_status.as_str() {
        "in-sync" => Verdict::Complete,
        "pending-reboot" => Verdict::Reboot,
        "failed-to-apply" => Verdict::Fail("its parameters could not be applied".to_owned()),
        other => Verdict::Wait(format!("is {status}, and its parameters are {other}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way() -> UpgradeWay {
        let hop = |version: &str, family: &str| UpgradeHop { version: version.to_owned(), family: family.to_owned() };
        UpgradeWay {
            from: "13.10".to_owned(),
            hops: vec![hop("13.23", "postgres13"), hop("17.6", "postgres17"), hop("18.4", "postgres18")],
            dms_engine_version: Some("3.6.1".to_owned()),
            subnet_ids: vec![],
            security_group_ids: vec![],
        }
    }

    fn seen(status: &str, version: &str, pending: bool, group_status: &str) -> Seen {
        Seen {
            status: status.to_owned(),
            version: version.to_owned(),
            pending,
            group: "final".to_owned(),
            group_status: group_status.to_owned(),
        }
    }

    #[test]
    fn the_version_says_what_is_next() {
        let way = way();
        let wait = |reason: &str| Verdict::Wait(reason.to_owned());
        let fail = |reason: &str| Verdict::Fail(reason.to_owned());
        let cases = [
            (seen("available", "13.10", false, "in-sync"), Verdict::Upgrade(&way.hops[0])),
            (seen("available", "13.10", true, "in-sync"), wait("is available, and a change is pending")),
            (seen("upgrading", "13.10", false, "in-sync"), wait("is upgrading, on 13.10")),
            (seen("available", "13.23", false, "in-sync"), Verdict::Upgrade(&way.hops[1])),
            (seen("available", "17.6", false, "pending-reboot"), Verdict::Upgrade(&way.hops[2])),
            (seen("available", "18.4", false, "in-sync"), Verdict::Complete),
            (seen("available", "18.4", true, "in-sync"), wait("is available, and a change is pending")),
            (seen("available", "18.4", false, "pending-reboot"), Verdict::Reboot),
            (seen("available", "18.4", false, "applying"), wait("is available, and its parameters are applying")),
            (seen("storage-initialization", "13.10", false, "in-sync"), Verdict::Upgrade(&way.hops[0])),
            (seen("storage-optimization", "18.4", false, "pending-reboot"), Verdict::Reboot),
            (seen("available", "18.4", false, "failed-to-apply"), fail("its parameters could not be applied")),
            (
                seen("available", "18.5", false, "in-sync"),
                fail("it has version 18.5, which is not on the path from 13.10"),
            ),
            (seen("upgrade_failed", "13.23", false, "in-sync"), fail("it is upgrade_failed")),
        ];
        for (seen, verdict) in cases {
            assert_eq!(decide(&seen, &way, "final"), verdict, "{seen:?}");
        }
    }

    #[test]
    fn a_group_that_would_need_a_reboot_after_open_is_noticed() {
        let way = way();
        let other = Seen { group: "default.postgres18".to_owned(), ..seen("available", "18.4", false, "in-sync") };

        let verdict = decide(&other, &way, "final");

        assert_eq!(verdict, Verdict::Fail("it uses parameter group default.postgres18 instead of final".to_owned()));
    }
}
