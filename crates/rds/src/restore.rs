//! A restore with every setting of the source that it takes. What it does not take, upgrade-target and protect-target set
//! afterwards.
//! Source: Amazon RDS service model, RestoreDBInstanceFromDBSnapshot; user guide, "Restoring from a DB snapshot".

use aws_sdk_rds::Client;
use aws_sdk_rds::operation::restore_db_instance_from_db_snapshot::builders::RestoreDBInstanceFromDBSnapshotFluentBuilder;
use aws_sdk_rds::types::{DbInstance, Tag};
use pgleap_contract::{Names, Run};
use pgleap_step_kit::aws::{AwsError, Doing};

use crate::{Described, Instance, Rds, tags};

impl Rds {
    /// Restore the target from the run's snapshot, with this parameter group and what its user chose for the source. Until
    /// the load is done the copy has one zone, no backups, no protection against being deleted by the way back, and no
    /// minor upgrades of its own.
    pub async fn restore(&self, run: &Run, source: &Instance, name: &str, group: &str) -> Result<(), AwsError> {
        let Described(source) = &source.described;
        let answer = restore(&self.client, run, source, name, group).send().await;
        answer.doing(format!("restore instance {name}")).map(|_restores| ())
    }
}

/// The request. No backups: an upgrade would take two, and each costs time.
fn restore(
    rds: &Client,
    run: &Run,
    source: &DbInstance,
    name: &str,
    group: &str,
) -> RestoreDBInstanceFromDBSnapshotFluentBuilder {
    let security_groups = source.vpc_security_groups().iter().filter_map(|group| group.vpc_security_group_id.clone());
    let request = rds
        .restore_db_instance_from_db_snapshot()
        .db_instance_identifier(name)
        .db_snapshot_identifier(run.names().snapshot())
        .db_parameter_group_name(group)
        .multi_az(false)
        .backup_retention_period(0)
        .deletion_protection(false)
        .auto_minor_version_upgrade(false)
        .set_db_instance_class(source.db_instance_class.clone())
        .set_db_subnet_group_name(source.db_subnet_group().and_then(|group| group.db_subnet_group_name.clone()))
        .set_vpc_security_group_ids(Some(security_groups.collect()))
        .set_publicly_accessible(source.publicly_accessible)
        .set_network_type(source.network_type.clone())
        .set_option_group_name(option_group(source))
        .set_port(source.endpoint().and_then(|endpoint| endpoint.port))
        .set_copy_tags_to_snapshot(source.copy_tags_to_snapshot)
        .set_enable_iam_database_authentication(source.iam_database_authentication_enabled)
        .set_ca_certificate_identifier(source.ca_certificate_identifier.clone())
        .set_preferred_backup_window(source.preferred_backup_window.clone())
        .set_engine_lifecycle_support(source.engine_lifecycle_support.clone())
        .set_license_model(source.license_model.clone())
        .set_backup_target(source.backup_target.clone())
        .set_availability_zone(zone(source))
        .set_tags(Some(tags_of(run, source)));
    domain(storage(request, source), source)
}

/// IOPS and throughput only where the storage type takes them: RDS refuses them elsewhere, and shows them for gp3 below
/// the size at which they may be chosen.
/// Source: Amazon RDS user guide, "Amazon RDS DB instance storage", gp3.
fn storage(
    request: RestoreDBInstanceFromDBSnapshotFluentBuilder,
    source: &DbInstance,
) -> RestoreDBInstanceFromDBSnapshotFluentBuilder {
    const GP3_CHOICE_FROM_GIB: i32 = 400;
    let kind = source.storage_type().unwrap_or_default();
    let chosen = match kind {
        "io1" | "io2" => true,
        "gp3" => source.allocated_storage().unwrap_or(0) >= GP3_CHOICE_FROM_GIB,
        _ => false,
    };
    let request =
        request.set_storage_type(source.storage_type.clone()).set_dedicated_log_volume(source.dedicated_log_volume);
    let features = (!source.processor_features().is_empty()).then(|| source.processor_features().to_vec());
    let logs = (!source.enabled_cloudwatch_logs_exports().is_empty())
        .then(|| source.enabled_cloudwatch_logs_exports().to_vec());
    let request = request.set_processor_features(features).set_enable_cloudwatch_logs_exports(logs);
    if !chosen {
        return request;
    }
    request.set_iops(source.iops).set_storage_throughput(source.storage_throughput.filter(|_| kind == "gp3"))
}

/// A domain of AWS's directory service, or one that its user manages.
fn domain(
    request: RestoreDBInstanceFromDBSnapshotFluentBuilder,
    source: &DbInstance,
) -> RestoreDBInstanceFromDBSnapshotFluentBuilder {
    let Some(member) = source.domain_memberships().first() else { return request };
    let managed = member.auth_secret_arn.is_none();
    let addresses = (!member.dns_ips().is_empty()).then(|| member.dns_ips().to_vec());
    request
        .set_domain(member.domain.clone().filter(|_| managed))
        .set_domain_iam_role_name(member.iam_role_name.clone())
        .set_domain_fqdn(member.fqdn.clone().filter(|_| !managed))
        .set_domain_ou(member.ou.clone())
        .set_domain_auth_secret_arn(member.auth_secret_arn.clone())
        .set_domain_dns_ips(addresses)
}

/// That of an instance with one zone: RDS would choose any of the subnets', and clients would pay for the distance. An instance
/// with a standby is in two, and either may serve after a failover.
fn zone(source: &DbInstance) -> Option<String> {
    source.availability_zone.clone().filter(|_| !source.multi_az.unwrap_or_default())
}

/// A default option group belongs to a major; the upgrade moves it along by itself.
fn option_group(source: &DbInstance) -> Option<String> {
    let name = source.option_group_memberships().first()?.option_group_name.clone()?;
    (!name.starts_with("default:")).then_some(name)
}

/// The source's tags, without those that AWS reserves, and the run's own. The one that permits deletion is removed before
/// the fence (`arm-deadline`).
fn tags_of(run: &Run, source: &DbInstance) -> Vec<Tag> {
    let users = source
        .tag_list()
        .iter()
        .filter(|tag| tag.key().is_some_and(|key| !key.starts_with("aws:") && !key.starts_with("pgleap:")))
        .filter(|tag| !tag.key().is_some_and(|key| run.tags.contains_key(key)));
    let deletable = tags::tag(Names::DELETABLE_TAG, run.id.as_str());
    users.cloned().chain(tags::of_run(run)).chain([deletable]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_rds::types::{OptionGroupMembership, ProcessorFeature};

    fn client() -> Client {
        Client::from_conf(aws_sdk_rds::Config::builder().behavior_version_latest().build())
    }

    fn a_run() -> Run {
        serde_json::from_value(serde_json::json!({
            "id": "r", "executionArn": "arn", "mode": "upgrade", "copy": {}, "choices": {}, "limits": {},
            "source": {"instance": "orders", "loginSecret": "s"}, "target": {"version": "18", "instance": "orders-v18"},
            "record": {"zoneId": "Z", "name": "db.example"}
        }))
        .expect("a run")
    }

    #[test]
    fn speed_is_asked_for_only_where_it_can_be_chosen() {
        let cases = [
            ("gp2", 1_000, None, None),
            ("gp3", 399, None, None),
            ("gp3", 400, Some(12_000), Some(500)),
            ("io1", 100, Some(12_000), None),
        ];
        for (kind, gib, iops, throughput) in cases {
            let source = DbInstance::builder()
                .storage_type(kind)
                .allocated_storage(gib)
                .iops(12_000)
                .storage_throughput(500)
                .build();

            let request = restore(&client(), &a_run(), &source, "orders-v18", "quiet");

            assert_eq!((*request.get_iops(), *request.get_storage_throughput()), (iops, throughput), "{kind} {gib}");
        }
    }

    #[test]
    fn the_copy_of_an_instance_with_one_zone_is_in_that_zone() {
        for (standby, expected) in [(false, Some("eu-west-1b")), (true, None)] {
            let source = DbInstance::builder().availability_zone("eu-west-1b").multi_az(standby).build();

            let request = restore(&client(), &a_run(), &source, "orders-v18", "quiet");

            assert_eq!(request.get_availability_zone().as_deref(), expected);
        }
    }

    #[test]
    fn what_the_user_chose_comes_along_and_what_the_upgrade_does_not_want_stays_off() {
        let source = DbInstance::builder()
            .multi_az(true)
            .deletion_protection(true)
            .backup_retention_period(7)
            .option_group_memberships(OptionGroupMembership::builder().option_group_name("default:postgres-13").build())
            .processor_features(ProcessorFeature::builder().name("threadsPerCore").value("1").build())
            .tag_list(Tag::builder().key("aws:cloudformation:stack-name").value("x").build())
            .tag_list(Tag::builder().key("team").value("shop").build())
            .build();

        let request = restore(&client(), &a_run(), &source, "orders-v18", "quiet");

        assert_eq!(
            (*request.get_multi_az(), *request.get_deletion_protection(), *request.get_backup_retention_period()),
            (Some(false), Some(false), Some(0))
        );
        assert_eq!(*request.get_option_group_name(), None);
        assert_eq!(request.get_processor_features().as_ref().map(Vec::len), Some(1));
        let tags: Vec<_> = request.get_tags().iter().flatten().filter_map(|tag| tag.key()).collect();
        assert_eq!(tags, ["team", "pgleap:run", "pgleap:deletable"]);
    }
}
