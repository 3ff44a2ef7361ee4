//! The upgrade path from the source's version to the requested one, over the upgrades that RDS allows.

use std::collections::HashMap;

use pgleap_contract::steps::UpgradeHop;
use pgleap_rds::EngineVersion;

use crate::versions::RdsVersion;

/// The hops, or why there are none. They lead to the newest reachable version that was requested, with as few hops as possible. Among
/// equally short paths, the first hops stay within the major version, because those are quick.
pub(crate) fn find(versions: &[EngineVersion], from: &str, wanted: &str) -> Result<Vec<UpgradeHop>, String> {
    let now =
        RdsVersion::parse(from).ok_or_else(|| format!("pgleap does not understand the source's version {from}"))?;
    let goal = RdsVersion::parse(wanted)
        .ok_or_else(|| format!("pgleap does not understand the requested version {wanted}"))?;
    if goal.major <= now.major {
        return Err(format!("{wanted} is not a newer major version than the source's {from}"));
    }
    let offered: HashMap<&str, &EngineVersion> =
        versions.iter().map(|version| (version.text.as_str(), version)).collect();
    let came_from = walk(&offered, from);
    let reached = came_from.keys().copied().filter(|text| is_wanted(text, wanted, goal.major));
    // An Extended Support version (-rds.) costs money by the hour: taken only where nothing else is reached.
    let best =
        reached.filter_map(|text| RdsVersion::parse(text).map(|version| (version.patch == 0, version, text))).max();
    let Some((_, _, best)) = best else {
        return Err(unreachable(&offered, from, wanted));
    };
    let mut hops = Vec::new();
    let mut at = best;
    while at != from {
        let family = offered.get(at).map(|version| version.family.clone()).unwrap_or_default();
        hops.push(UpgradeHop { version: at.to_owned(), family });
        at = came_from[at];
    }
    hops.reverse();
    Ok(hops)
}

fn is_wanted(text: &str, wanted: &str, major: u32) -> bool {
    text == wanted || (!wanted.contains('.') && RdsVersion::parse(text).is_some_and(|version| version.major == major))
}

/// Breadth first: each version that can be reached, and from where it is reached first.
fn walk<'a>(offered: &HashMap<&'a str, &'a EngineVersion>, from: &'a str) -> HashMap<&'a str, &'a str> {
    let mut came_from = HashMap::new();
    let mut edge = vec![from];
    while !edge.is_empty() {
        let mut next = Vec::new();
        for at in edge {
            let Some(version) = offered.get(at) else { continue };
            for target in in_order(version) {
                let usable = offered.get(target).is_some_and(|target| target.available);
                if usable && target != from && !came_from.contains_key(target) {
                    came_from.insert(target, at);
                    next.push(target);
                }
            }
        }
        edge = next;
    }
    came_from
}

/// Upgrades within the major first, newest first.
fn in_order(version: &EngineVersion) -> Vec<&str> {
    let major = RdsVersion::parse(&version.text).map(|version| version.major);
    let mut targets: Vec<_> = version
        .targets
        .iter()
        .filter_map(|text| RdsVersion::parse(text).map(|target| (target, text.as_str())))
        .collect();
    targets.sort_by_key(|(target, _)| (Some(target.major) != major, std::cmp::Reverse(*target)));
    targets.into_iter().map(|(_, text)| text).collect()
}

fn unreachable(offered: &HashMap<&str, &EngineVersion>, from: &str, wanted: &str) -> String {
    let Some(source) = offered.get(from) else {
        return format!("RDS does not list the source's version {from}");
    };
    let exists = offered.contains_key(wanted) || !wanted.contains('.');
    let targets = if source.targets.is_empty() { "no other version".to_owned() } else { source.targets.join(", ") };
    match exists {
        true => format!("RDS has no upgrade path from {from} to {wanted}; {from} can be upgraded to {targets}"),
        false => format!("RDS does not offer version {wanted}; {from} can be upgraded to {targets}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str, targets: &[&str]) -> EngineVersion {
        EngineVersion {
            text: text.to_owned(),
            family: format!("postgres{}", RdsVersion::parse(text).expect("a version").major),
            available: true,
            targets: targets.iter().map(|&text| text.to_owned()).collect(),
        }
    }

    fn offered() -> Vec<EngineVersion> {
        vec![
            version("13.7", &["13.20", "13.23", "14.5"]),
            version("13.20", &["13.23", "14.17", "17.4"]),
            version("13.23", &["14.23", "17.11", "18.6"]),
            version("13.23-rds.1", &["18.6"]),
            version("14.5", &["14.17", "14.23", "15.4"]),
            version("14.17", &["14.23", "17.4"]),
            version("14.23", &["18.6"]),
            version("15.4", &["16.1"]),
            version("16.1", &[]),
            version("17.4", &["17.11", "18.1", "18.6"]),
            version("17.11", &["18.6"]),
            version("18.1", &["18.6"]),
            version("18.6", &[]),
            version("19.1", &[]),
        ]
    }

    #[test]
    fn the_shortest_way_to_the_newest_wanted_version_is_taken() {
        let cases: &[(&str, &str, &[&str])] = &[
            ("13.23", "18", &["18.6"]),
            ("13.23", "18.6", &["18.6"]),
            ("13.23-rds.1", "18", &["18.6"]),
            ("13.7", "18", &["13.23", "18.6"]),
            ("13.7", "18.1", &["13.20", "17.4", "18.1"]),
            ("13.20", "17", &["13.23", "17.11"]),
            ("13.20", "17.4", &["17.4"]),
            ("13.7", "16", &["14.5", "15.4", "16.1"]),
        ];
        for (from, wanted, expected) in cases {
            let hops = find(&offered(), from, wanted).expect("a way");

            let versions: Vec<_> = hops.iter().map(|hop| hop.version.as_str()).collect();
            assert_eq!(versions, *expected, "{from} to {wanted}");
            assert_eq!(
                hops.last().expect("a hop").family,
                format!("postgres{}", wanted.split('.').next().expect("major"))
            );
        }
    }

    #[test]
    fn a_version_that_cannot_be_reached_is_said_why() {
        let cases = [
            ("13.23", "13", "not a newer major"),
            ("18.6", "17.4", "not a newer major"),
            ("13.23", "19", "no upgrade path"),
            ("13.23", "19.1", "no upgrade path"),
            ("13.23", "18.7", "RDS does not offer version 18.7"),
            ("13.99", "18", "does not list the source's version"),
            ("16.1", "18", "16.1 can be upgraded to no other version"),
        ];
        for (from, wanted, says) in cases {
            let reason = find(&offered(), from, wanted).expect_err("no way");

            assert!(reason.contains(says), "{from} to {wanted}: {reason}");
        }
    }

    #[test]
    fn a_version_that_is_not_available_is_no_stop() {
        let mut versions = offered();
        versions.iter_mut().filter(|version| version.text == "18.6").for_each(|version| version.available = false);

        assert!(find(&versions, "13.20", "18").is_ok_and(|hops| hops.last().is_some_and(|hop| hop.version == "18.1")));
    }
}
