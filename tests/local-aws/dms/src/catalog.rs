//! What DMS offers: engine versions, instance classes and quotas.

use serde_json::{Value, json};

/// A class and its memory in GiB.
const CLASSES: [(&str, u32); 35] = [
    ("dms.t3.micro", 1),
    ("dms.t3.small", 2),
    ("dms.t3.medium", 4),
    ("dms.t3.large", 8),
    ("dms.c5.large", 4),
    ("dms.c5.xlarge", 8),
    ("dms.c5.2xlarge", 16),
    ("dms.c5.4xlarge", 32),
    ("dms.c5.9xlarge", 72),
    ("dms.c5.12xlarge", 96),
    ("dms.c5.18xlarge", 144),
    ("dms.c5.24xlarge", 192),
    ("dms.c6i.large", 4),
    ("dms.c6i.xlarge", 8),
    ("dms.c6i.2xlarge", 16),
    ("dms.c6i.4xlarge", 32),
    ("dms.c6i.8xlarge", 64),
    ("dms.c6i.12xlarge", 96),
    ("dms.c6i.16xlarge", 128),
    ("dms.r5.large", 16),
    ("dms.r5.xlarge", 32),
    ("dms.r5.2xlarge", 64),
    ("dms.r5.4xlarge", 128),
    ("dms.r5.8xlarge", 256),
    ("dms.r5.12xlarge", 384),
    ("dms.r5.16xlarge", 512),
    ("dms.r5.24xlarge", 768),
    ("dms.r6i.large", 16),
    ("dms.r6i.xlarge", 32),
    ("dms.r6i.2xlarge", 64),
    ("dms.r6i.4xlarge", 128),
    ("dms.r6i.8xlarge", 256),
    ("dms.r6i.12xlarge", 384),
    ("dms.r6i.16xlarge", 512),
    ("dms.r6i.32xlarge", 1024),
];

/// Engine versions on offer, newest first. PostgreSQL 16 came with 3.5.3.
const ENGINES: [&str; 3] = ["3.6.1", "3.5.4", "3.5.3"];

/// What an instance gets that names no version.
pub(crate) const DEFAULT_ENGINE: &str = "3.5.4";

/// A class's memory; none for an unknown class.
pub(crate) fn memory_gib(class: &str) -> Option<u32> {
    CLASSES.iter().find(|(name, _)| *name == class).map(|(_, memory)| *memory)
}

/// Whether a version can be had.
pub(crate) fn has_engine(version: &str) -> bool {
    ENGINES.contains(&version)
}

/// Whether a version works with a PostgreSQL major: 17 came with 3.6.1. Nothing is documented of later ones, so the
/// newest version is taken to know them.
pub(crate) fn knows_major(version: &str, major: i32) -> bool {
    major < 17 || version == ENGINES[0]
}

/// `EngineVersions` of DescribeEngineVersions.
pub(crate) fn engine_versions() -> Vec<Value> {
    ENGINES
        .iter()
        .enumerate()
        .map(|(number, version)| {
            let newer: Vec<_> = ENGINES[..number].iter().rev().collect();
            json!({"Version": version, "Lifecycle": "active", "ReleaseStatus": "prod", "AvailableUpgrades": newer})
        })
        .collect()
}

/// `OrderableReplicationInstances`: every class with every version.
pub(crate) fn orderable_instances(zones: &[&str]) -> Vec<Value> {
    ENGINES
        .iter()
        .flat_map(|version| {
            CLASSES.iter().map(move |(class, _)| {
                json!({"EngineVersion": version, "ReplicationInstanceClass": class, "StorageType": "gp2",
                    "MinAllocatedStorage": 5, "MaxAllocatedStorage": 6144, "DefaultAllocatedStorage": 50,
                    "IncludedAllocatedStorage": 50, "AvailabilityZones": zones, "ReleaseStatus": "prod"})
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_know_the_majors_of_their_time() {
        for (version, major, expected) in
            [("3.5.4", 16, true), ("3.5.4", 17, false), ("3.6.1", 17, true), ("3.6.1", 18, true)]
        {
            assert_eq!(knows_major(version, major), expected, "{version} {major}");
        }
    }

    #[test]
    fn a_default_can_be_had_and_upgrades_go_forward() {
        assert!(has_engine(DEFAULT_ENGINE));
        assert_eq!(engine_versions()[2]["AvailableUpgrades"], json!(["3.5.4", "3.6.1"]));
    }
}
