//! The quotas of the account leave room for what the run creates: a quota that is reached would end the run halfway, hours later.
//! Source: Amazon RDS API reference, AccountQuota; AWS DMS API reference, DescribeAccountAttributes.

use std::collections::HashSet;

use pgleap_contract::Finding;

use crate::facts::{Facts, Quota};
use crate::versions::RdsVersion;

const ID: &str = "account-quota";

/// What the run creates of a kind.
pub(crate) struct Need {
    /// The quota, as the service names it.
    pub(crate) quota: &'static str,
    /// What it counts, for people.
    pub(crate) what: &'static str,
    /// How many the run creates.
    pub(crate) more: i64,
}

pub(crate) fn check(facts: &Facts) -> Vec<Finding> {
    let Some(source) = facts.source.found() else { return Vec::new() };
    let needs = [
        Need { quota: "DBInstances", what: "DB instances", more: 1 },
        Need { quota: "ManualSnapshots", what: "manual DB snapshots", more: 1 },
        Need { quota: "DBParameterGroups", what: "DB parameter groups", more: groups(facts, &source.version) },
        Need { quota: "AllocatedStorage", what: "GiB of DB storage", more: i64::from(source.storage_gib) },
    ];
    judge(&facts.quotas, "RDS", &needs)
}

/// A blocker for each quota that leaves too little. A quota that the service does not report is not judged.
pub(crate) fn judge(quotas: &[Quota], service: &'static str, needs: &[Need]) -> Vec<Finding> {
    let too_few = |need: &&Need| quota(quotas, service, need.quota).is_some_and(|quota| quota.left() < need.more);
    let finding = |need: &Need| {
        let Quota { used, max, .. } = quota(quotas, service, need.quota)?;
        let Need { what, more, .. } = need;
        let found =
            format!("the {service} quota allows {max} {what}, {used} are in use, and the run needs {more} more");
        Some(Finding::blocker(
            ID,
            found,
            "request a higher quota in the Service Quotas console, or delete what you no longer need",
        ))
    };
    needs.iter().filter(too_few).filter_map(finding).collect()
}

fn quota<'a>(quotas: &'a [Quota], service: &str, name: &str) -> Option<&'a Quota> {
    quotas.iter().find(|quota| quota.service == service && quota.name == name)
}

/// The groups that are created in any case: the quiet one, and one for each new family. Whether the source needs one too is known
/// later.
fn groups(facts: &Facts, version: &str) -> i64 {
    let has = RdsVersion::parse(version).map(|version| format!("postgres{}", version.major));
    let hops = facts.way.as_ref().and_then(|way| way.as_ref().ok()).map(Vec::as_slice).unwrap_or_default();
    let new: HashSet<_> = hops.iter().map(|hop| &hop.family).filter(|family| Some(*family) != has.as_ref()).collect();
    1 + i64::try_from(new.len()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::tests::{assert_found, good};

    #[test]
    fn a_quota_that_leaves_too_little_is_found() {
        let cases = [
            ("RDS", "DBInstances", 39, 40, false),
            ("RDS", "DBInstances", 40, 40, true),
            ("RDS", "ManualSnapshots", 100, 100, true),
            ("RDS", "DBParameterGroups", 48, 50, false),
            ("RDS", "DBParameterGroups", 49, 50, true),
            ("RDS", "AllocatedStorage", 900, 1_000, false),
            ("RDS", "AllocatedStorage", 901, 1_000, true),
            ("RDS", "OptionGroups", 20, 20, false),
            ("DMS", "ReplicationInstances", 60, 60, true),
            ("DMS", "ReplicationSubnetGroups", 60, 60, true),
            ("DMS", "Endpoints", 998, 1_000, false),
            ("DMS", "Endpoints", 999, 1_000, true),
            ("DMS", "ReplicationTasks", 600, 600, true),
            ("DMS", "AllocatedStorage", 29_950, 30_000, false),
            ("DMS", "AllocatedStorage", 29_951, 30_000, true),
            ("DMS", "DBInstances", 60, 60, false),
        ];
        for (service, name, used, max, reached) in cases {
            let quota = Quota { service, name: name.to_owned(), used, max };
            let expected: &[&str] = if reached { &["b account-quota"] } else { &[] };
            assert_found(|facts| facts.quotas = vec![quota], expected);
        }
    }

    #[test]
    fn the_sentence_says_what_is_missing() {
        let mut facts = good();
        facts.quotas = vec![Quota { service: "RDS", name: "DBParameterGroups".to_owned(), used: 49, max: 50 }];

        let found = check(&facts).remove(0).found;

        assert_eq!(found, "the RDS quota allows 50 DB parameter groups, 49 are in use, and the run needs 2 more");
    }
}
