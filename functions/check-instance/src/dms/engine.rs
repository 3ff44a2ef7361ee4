//! This Region offers a DMS engine version that supports both major versions.

use pgleap_contract::Finding;

use crate::dms::{DmsVersion, Offer};
use crate::facts::Facts;
use crate::versions::RdsVersion;

const ID: &str = "dms-engine";
const UNPROVEN: &str = "dms-engine-unproven";

/// The newest major that AWS documents as source and target of DMS.
const NEWEST_PROVEN: u32 = 17;

/// The first engine that supports a major version.
/// Source: AWS DMS user guide, "Sources for AWS DMS" and "Targets for AWS DMS"; nothing is said of 18.
fn least(major: u32) -> DmsVersion {
    match major {
        ..=12 => DmsVersion(3, 4, 0),
        13 => DmsVersion(3, 4, 3),
        14 => DmsVersion(3, 4, 7),
        15 => DmsVersion(3, 5, 1),
        16 => DmsVersion(3, 5, 3),
        17.. => DmsVersion(3, 6, 1),
    }
}

fn target_major(facts: &Facts) -> Option<u32> {
    RdsVersion::parse(&facts.run.target.version).map(|version| version.major)
}

/// The engine to pin: the newest that supports both major versions, in the operator's class if there is one.
pub(crate) fn pick(facts: &Facts) -> Option<&Offer> {
    let source = RdsVersion::parse(&facts.source.found()?.version)?.major;
    let needed = least(source).max(least(target_major(facts)?));
    let wanted = facts.run.copy.dms.instance_class.as_deref();
    let fits = |offer: &&Offer| offer.version >= needed && wanted.is_none_or(|class| class == offer.class);
    facts.dms.iter().filter(fits).max_by_key(|offer| offer.version)
}

pub(crate) fn check(facts: &Facts) -> Vec<Finding> {
    let (Some(_source), Some(target)) = (facts.source.found(), target_major(facts)) else { return Vec::new() };
    if facts.dms.is_empty() && !facts.unseen.is_empty() {
        return Vec::new();
    }
    if pick(facts).is_none() {
        let newest = facts.dms.iter().map(|offer| offer.version).max();
        let offered = newest.map_or("none".to_owned(), |newest| newest.to_string());
        let class = facts.run.copy.dms.instance_class.as_deref().unwrap_or("any class");
        let found = format!(
            "DMS offers no engine version for PostgreSQL {target} with {class} in this Region; the newest that it offers: {offered}"
        );
        return vec![Finding::blocker(ID, found, "choose another copy.dms.instanceClass, Region or target.version")];
    }
    if target > NEWEST_PROVEN {
        let found = format!(
            "AWS does not say whether DMS supports PostgreSQL {target}; {NEWEST_PROVEN} is the newest that it names"
        );
        return vec![Finding::warning(UNPROVEN, found, "rehearse with a copy of your own database first")];
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::tests::{assert_found, good};

    fn offer(version: DmsVersion, class: &str) -> Offer {
        Offer { version, class: class.to_owned() }
    }

    #[test]
    fn an_engine_that_is_too_old_or_in_another_class_is_no_engine() {
        assert_found(|facts| facts.dms = vec![offer(DmsVersion(3, 6, 0), "dms.r6i.large")], &["b dms-engine"]);
        assert_found(|facts| facts.dms = Vec::new(), &["b dms-engine"]);
        assert_found(|facts| facts.run.copy.dms.instance_class = Some("dms.x".to_owned()), &["b dms-engine"]);
        assert_found(|facts| facts.run.target.version = "18".to_owned(), &["w dms-engine-unproven"]);
    }

    #[test]
    fn the_newest_engine_in_the_wanted_class_is_pinned() {
        let mut facts = good();
        facts.dms = vec![
            offer(DmsVersion(3, 6, 1), "dms.t3.medium"),
            offer(DmsVersion(3, 10, 0), "dms.r6i.large"),
            offer(DmsVersion(3, 6, 2), "dms.t3.medium"),
        ];

        assert_eq!(pick(&facts).map(|offer| offer.version), Some(DmsVersion(3, 10, 0)));
        facts.run.copy.dms.instance_class = Some("dms.t3.medium".to_owned());
        assert_eq!(pick(&facts).map(|offer| offer.version), Some(DmsVersion(3, 6, 2)));
    }
}
