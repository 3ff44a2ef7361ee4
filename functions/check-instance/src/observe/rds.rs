//! What RDS says.

use aws_sdk_rds::Client;
use aws_sdk_rds::types::{DbInstance, PendingModifiedValues};
use pgleap_step_kit::prelude::*;

use crate::facts::{Instance, Maintenance, Quota, Subnet};
use crate::versions::EngineVersion;

pub(super) async fn instance(client: &Client, name: &str) -> Result<Option<Instance>, AwsError> {
    let answer = client.describe_db_instances().db_instance_identifier(name).send().await;
    let found = answer.doing(format!("describe instance {name}")).optional()?;
    Ok(found.and_then(|found| found.db_instances().first().map(plain)))
}

fn plain(instance: &DbInstance) -> Instance {
    let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
    let endpoint = instance
        .endpoint()
        .and_then(|endpoint| Some((endpoint.address()?.to_owned(), u16::try_from(endpoint.port()?).ok()?)));
    let subnets =
        instance.db_subnet_group().map(|group| group.subnets()).unwrap_or_default().iter().map(|subnet| Subnet {
            id: text(subnet.subnet_identifier()),
            zone: text(subnet.subnet_availability_zone().and_then(|zone| zone.name())),
        });
    let groups = instance.vpc_security_groups().iter().filter_map(|group| group.vpc_security_group_id());
    let mut replicas = instance.read_replica_db_instance_identifiers().to_vec();
    replicas.extend_from_slice(instance.read_replica_db_cluster_identifiers());
    Instance {
        status: text(instance.db_instance_status()),
        engine: text(instance.engine()),
        version: text(instance.engine_version()),
        class: text(instance.db_instance_class()),
        database: instance.db_name().map(str::to_owned),
        endpoint,
        replica_of: instance.read_replica_source_db_instance_identifier().map(str::to_owned),
        cluster: instance.db_cluster_identifier().map(str::to_owned),
        replicas,
        pending: instance.pending_modified_values().map(pending).unwrap_or_default(),
        parameters: text(instance.db_parameter_groups().first().and_then(|group| group.parameter_apply_status())),
        subnets: subnets.collect(),
        security_groups: groups.map(str::to_owned).collect(),
        managed_secret: instance.master_user_secret().and_then(|secret| secret.secret_arn()).map(str::to_owned),
        iam_authentication: instance.iam_database_authentication_enabled().unwrap_or(false),
        arn: text(instance.db_instance_arn()),
        parameter_group: text(instance.db_parameter_groups().first().and_then(|group| group.db_parameter_group_name())),
        backup_days: instance.backup_retention_period().unwrap_or(0),
        multi_az: instance.multi_az().unwrap_or(false),
        storage_gib: instance.allocated_storage().unwrap_or(0),
        storage_grows_to: instance.max_allocated_storage().unwrap_or(0),
        storage_key: instance.kms_key_id().filter(|_| instance.storage_encrypted() == Some(true)).map(str::to_owned),
        insights_key: instance
            .performance_insights_kms_key_id()
            .filter(|_| instance.performance_insights_enabled() == Some(true))
            .map(str::to_owned),
    }
}

/// Other instances with a parameter group. A default group is everybody's.
pub(super) async fn sharers(client: &Client, group: &str, of: &str) -> Result<Vec<String>, AwsError> {
    let mut all = Vec::new();
    if group.is_empty() || group.starts_with("default.") {
        return Ok(all);
    }
    let mut pages = client.describe_db_instances().into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.doing("describe all instances")?;
        let has = |instance: &&DbInstance| {
            instance.db_parameter_groups().iter().any(|has| has.db_parameter_group_name() == Some(group))
        };
        let names = page.db_instances().iter().filter(has).filter_map(|instance| instance.db_instance_identifier());
        all.extend(names.filter(|name| *name != of).map(str::to_owned));
    }
    Ok(all)
}

/// Maintenance that waits for an instance.
pub(super) async fn maintenance(client: &Client, arn: &str) -> Result<Vec<Maintenance>, AwsError> {
    let answer = client.describe_pending_maintenance_actions().resource_identifier(arn).send().await;
    let answer = answer.doing(format!("describe pending maintenance of {arn}")).optional()?;
    let resources = answer.map(|answer| answer.pending_maintenance_actions.unwrap_or_default()).unwrap_or_default();
    let actions = resources.iter().flat_map(|resource| resource.pending_maintenance_action_details());
    Ok(actions
        .map(|action| Maintenance {
            action: action.action().unwrap_or("unnamed").to_owned(),
            at: action
                .current_apply_date()
                .or(action.forced_apply_date())
                .or(action.auto_applied_after_date())
                .map(ToString::to_string),
        })
        .collect())
}

/// Names only: a waiting password is among the values.
fn pending(values: &PendingModifiedValues) -> Vec<String> {
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
    waiting.iter().filter(|(_, waits)| *waits).map(|(name, _)| (*name).to_owned()).collect()
}

/// Every version, the ones that cannot be ordered any more too: the source may run one of them.
pub(super) async fn versions(client: &Client) -> Result<Vec<EngineVersion>, AwsError> {
    let mut all = Vec::new();
    let mut pages = client.describe_db_engine_versions().engine("postgres").include_all(true).into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.doing("describe engine versions of postgres")?;
        all.extend(page.db_engine_versions().iter().map(|version| {
            EngineVersion {
                text: version.engine_version().unwrap_or_default().to_owned(),
                family: version.db_parameter_group_family().unwrap_or_default().to_owned(),
                available: version.status().is_none_or(|status| status == "available"),
                targets: version
                    .valid_upgrade_target()
                    .iter()
                    .filter(|target| target.engine().is_none_or(|engine| engine == "postgres"))
                    .filter_map(|target| target.engine_version().map(str::to_owned))
                    .collect(),
            }
        }));
    }
    Ok(all)
}

/// Quotas of the account.
pub(super) async fn quotas(client: &Client) -> Result<Vec<Quota>, AwsError> {
    let answer = client.describe_account_attributes().send().await.doing("describe account attributes of RDS")?;
    let quotas = answer.account_quotas().iter();
    Ok(quotas
        .filter_map(|quota| {
            let name = quota.account_quota_name()?.to_owned();
            Some(Quota { service: "RDS", name, used: quota.used()?, max: quota.max()? })
        })
        .collect())
}

/// Whether a class can be ordered with a version.
pub(super) async fn orderable(client: &Client, class: &str, version: &str) -> Result<Option<()>, AwsError> {
    let answer = client
        .describe_orderable_db_instance_options()
        .engine("postgres")
        .engine_version(version)
        .db_instance_class(class)
        .send()
        .await;
    let options = answer.doing(format!("describe orderable options of {class} with postgres {version}"))?;
    Ok((!options.orderable_db_instance_options().is_empty()).then_some(()))
}
