//! Modifications that wait.

use aws_sdk_rds::types::PendingModifiedValues;

/// Modifications of an instance that RDS has accepted and not carried out (`PendingModifiedValues`). Names only: a waiting
/// password is among the values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pending {
    /// As the API names them: `EngineVersion`, `MultiAZ`, ..
    pub names: Vec<&'static str>,
    /// One waits that has no name here.
    pub has_unnamed: bool,
}

impl Pending {
    /// Nothing waits.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty() && !self.has_unnamed
    }

    /// Whether one of these waits, by its name in the API.
    pub fn has_any(&self, names: &[&str]) -> bool {
        self.names.iter().any(|waiting| names.contains(waiting))
    }

    pub(crate) fn of(values: &PendingModifiedValues) -> Self {
        let waiting = [
            ("AdditionalStorageVolumes", !values.additional_storage_volumes().is_empty()),
            ("AllocatedStorage", values.allocated_storage().is_some()),
            ("BackupRetentionPeriod", values.backup_retention_period().is_some()),
            ("CACertificateIdentifier", values.ca_certificate_identifier().is_some()),
            ("DBInstanceClass", values.db_instance_class().is_some()),
            ("DBInstanceIdentifier", values.db_instance_identifier().is_some()),
            ("DBSubnetGroupName", values.db_subnet_group_name().is_some()),
            ("DedicatedLogVolume", values.dedicated_log_volume().is_some()),
            ("Engine", values.engine().is_some()),
            ("EngineVersion", values.engine_version().is_some()),
            ("IAMDatabaseAuthenticationEnabled", values.iam_database_authentication_enabled().is_some()),
            ("Iops", values.iops().is_some()),
            ("LicenseModel", values.license_model().is_some()),
            ("MasterUserPassword", values.master_user_password().is_some()),
            ("MultiAZ", values.multi_az().is_some()),
            ("PendingCloudwatchLogsExports", values.pending_cloudwatch_logs_exports().is_some()),
            ("Port", values.port().is_some()),
            ("ProcessorFeatures", !values.processor_features().is_empty()),
            ("StorageThroughput", values.storage_throughput().is_some()),
            ("StorageType", values.storage_type().is_some()),
        ];
        let names: Vec<_> = waiting.iter().filter(|(_, waits)| *waits).map(|(name, _)| *name).collect();
        let has_unnamed = names.is_empty() && *values != PendingModifiedValues::builder().build();
        Self { names, has_unnamed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_waits_is_seen_and_named_where_it_has_a_name() {
        let values = PendingModifiedValues::builder;
        let nothing = Pending::of(&values().build());
        let named = Pending::of(&values().multi_az(true).port(5_433).build());
        let unnamed = Pending::of(&values().multi_tenant(true).build());

        assert!(nothing.is_empty() && !nothing.has_any(&["MultiAZ"]));
        assert_eq!(named.names, ["MultiAZ", "Port"]);
        assert!(named.has_any(&["EngineVersion", "MultiAZ"]) && !named.has_any(&["EngineVersion"]));
        assert!(unnamed.has_unnamed && unnamed.names.is_empty() && !unnamed.is_empty());
    }
}
