//! Members of `DBInstance` that change nothing but what is said back, and how requests name them.

use local_aws_core::Call;
use serde_json::{Map, Value, json};

/// Members of requests and the member of `DBInstance` that shows them.
const COPIED: &[(&str, &str)] = &[
    ("AllocatedStorage", "AllocatedStorage"),
    ("AutoMinorVersionUpgrade", "AutoMinorVersionUpgrade"),
    ("AvailabilityZone", "AvailabilityZone"),
    ("BackupRetentionPeriod", "BackupRetentionPeriod"),
    ("BackupTarget", "BackupTarget"),
    ("CACertificateIdentifier", "CACertificateIdentifier"),
    ("CopyTagsToSnapshot", "CopyTagsToSnapshot"),
    ("DatabaseInsightsMode", "DatabaseInsightsMode"),
    ("DBName", "DBName"),
    ("DedicatedLogVolume", "DedicatedLogVolume"),
    ("DeletionProtection", "DeletionProtection"),
    ("EnableCloudwatchLogsExports", "EnabledCloudwatchLogsExports"),
    ("EnableIAMDatabaseAuthentication", "IAMDatabaseAuthenticationEnabled"),
    ("EnablePerformanceInsights", "PerformanceInsightsEnabled"),
    ("EngineLifecycleSupport", "EngineLifecycleSupport"),
    ("Iops", "Iops"),
    ("KmsKeyId", "KmsKeyId"),
    ("LicenseModel", "LicenseModel"),
    ("MaxAllocatedStorage", "MaxAllocatedStorage"),
    ("MonitoringInterval", "MonitoringInterval"),
    ("MonitoringRoleArn", "MonitoringRoleArn"),
    ("MultiAZ", "MultiAZ"),
    ("NetworkType", "NetworkType"),
    ("PerformanceInsightsKMSKeyId", "PerformanceInsightsKMSKeyId"),
    ("PerformanceInsightsRetentionPeriod", "PerformanceInsightsRetentionPeriod"),
    ("PreferredBackupWindow", "PreferredBackupWindow"),
    ("PreferredMaintenanceWindow", "PreferredMaintenanceWindow"),
    ("ProcessorFeatures", "ProcessorFeatures"),
    ("PubliclyAccessible", "PubliclyAccessible"),
    ("StorageEncrypted", "StorageEncrypted"),
    ("StorageThroughput", "StorageThroughput"),
    ("StorageType", "StorageType"),
];

/// What a restored instance takes from the snapshot; everything else falls back to defaults (R and C in the guide's
/// copy rules: a restore has no Performance Insights, no monitoring, no maintenance window of its source).
pub(crate) const KEPT_BY_SNAPSHOTS: &[&str] = &[
    "AllocatedStorage",
    "BackupRetentionPeriod",
    "DBName",
    "DedicatedLogVolume",
    "Iops",
    "KmsKeyId",
    "LicenseModel",
    "OptionGroupMemberships",
    "PreferredBackupWindow",
    "StorageEncrypted",
    "StorageThroughput",
    "StorageType",
];

/// A new instance of which nothing is said.
pub(crate) fn defaults(major: u16) -> Map<String, Value> {
    let json = json!({
        "ActivityStreamStatus": "stopped",
        "AllocatedStorage": 20,
        "AssociatedRoles": [],
        "AutoMinorVersionUpgrade": true,
        "AvailabilityZone": "eu-west-1a",
        "BackupRetentionPeriod": 1,
        "BackupTarget": "region",
        "CACertificateIdentifier": "rds-ca-rsa2048-g1",
        "CopyTagsToSnapshot": false,
        "CustomerOwnedIpEnabled": false,
        "DBSubnetGroup": subnet_group("default"),
        "DatabaseInsightsMode": "standard",
        "DbInstancePort": 0,
        "DedicatedLogVolume": false,
        "DeletionProtection": false,
        "EngineLifecycleSupport": "open-source-rds-extended-support",
        "IAMDatabaseAuthenticationEnabled": false,
        "LicenseModel": "postgresql-license",
        "MonitoringInterval": 0,
        "MultiAZ": false,
        "NetworkType": "IPV4",
        "OptionGroupMemberships": option_groups(&format!("default:postgres-{major}")),
        "PerformanceInsightsEnabled": false,
        "PreferredBackupWindow": "02:30-03:00",
        "PreferredMaintenanceWindow": "sun:04:00-sun:04:30",
        "PubliclyAccessible": false,
        "StorageEncrypted": false,
        "StorageType": "gp2",
        "VpcSecurityGroups": security_groups(&json!(["sg-0default0000000"])),
    });
    match json {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// Write what a request says over what there is.
pub(crate) fn take_over(attributes: &mut Map<String, Value>, call: &Call) {
    let input = call.input.as_object().into_iter().flatten();
    for (member, value) in input.filter_map(|(member, value)| shown(member, value)) {
        attributes.insert(member.to_owned(), value);
    }
}

/// How `DBInstance` shows a member of a request; `None` if it is no mere attribute.
pub(crate) fn shown(member: &str, value: &Value) -> Option<(&'static str, Value)> {
    if let Some((_, shown)) = COPIED.iter().find(|(requested, _)| *requested == member) {
        return Some((shown, value.clone()));
    }
    match member {
        "VpcSecurityGroupIds" => Some(("VpcSecurityGroups", security_groups(value))),
        "DBSubnetGroupName" => Some(("DBSubnetGroup", subnet_group(value.as_str().unwrap_or_default()))),
        "OptionGroupName" => Some(("OptionGroupMemberships", option_groups(value.as_str().unwrap_or_default()))),
        _ => None,
    }
}

fn security_groups(ids: &Value) -> Value {
    let ids = ids.as_array().into_iter().flatten();
    ids.map(|id| json!({ "VpcSecurityGroupId": id, "Status": "active" })).collect()
}

fn option_groups(name: &str) -> Value {
    json!([{ "OptionGroupName": name, "Status": "in-sync" }])
}

fn subnet_group(name: &str) -> Value {
    let subnet = |zone: &str, id: &str| {
        json!({
            "SubnetIdentifier": id,
            "SubnetAvailabilityZone": { "Name": zone },
            "SubnetStatus": "Active",
        })
    };
    json!({
        "DBSubnetGroupName": name,
        "DBSubnetGroupDescription": name,
        "VpcId": "vpc-0local00000000",
        "SubnetGroupStatus": "Complete",
        "Subnets": [subnet("eu-west-1a", "subnet-0locala00000"), subnet("eu-west-1b", "subnet-0localb00000")],
    })
}
