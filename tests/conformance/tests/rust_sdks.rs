//! The SDK crates that the functions use must parse every answer, with every member filled, and every kind of error.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::fmt::Debug;

use aws_sdk_databasemigration::types::{
    MigrationTypeValue, ReplicationEndpointTypeValue, StartReplicationTaskTypeValue, TableToReload, Tag as DmsTag,
};
use aws_sdk_rds::types::{Parameter, Tag as RdsTag};
use aws_sdk_route53::types::{Change, ChangeAction, ChangeBatch, ResourceRecordSet, RrType};
use aws_sdk_scheduler::types::{FlexibleTimeWindow, FlexibleTimeWindowMode, Target};
use aws_sdk_secretsmanager::types::Tag as SecretTag;
use aws_smithy_types::error::display::DisplayErrorContext;
use conformance_tests::{Mirror, mirror_gateway, rust_sdk_config};
use local_aws_core::Gateway;
use local_aws_core::model::Model;

/// What could not be parsed, and how many calls there were.
#[derive(Default)]
struct Parsed {
    calls: usize,
    failures: Vec<String>,
}

impl Parsed {
    fn note<T, E: std::error::Error>(&mut self, name: &str, answer: Result<T, E>) {
        self.calls += 1;
        self.failures.extend(answer.err().map(|error| format!("{name}: {}", DisplayErrorContext(&error))));
    }

    /// Every operation that is served was called.
    fn all(&self, service: &str) {
        assert!(self.failures.is_empty(), "{}", self.failures.join("\n"));
        assert_eq!(self.calls, Model::of(service).unwrap().operations.len(), "operations of {service}");
    }
}

/// `client.operation().member("x").member("x").send()`, noted under the operation's name.
macro_rules! call {
    ($parsed:ident, $client:ident . $operation:ident ($($member:ident $(= $value:expr)?),*)) => {
        $parsed.note(stringify!($operation), $client.$operation()$(.$member(call!(@ $($value)?)))*.send().await)
    };
    (@) => { "a" };
    (@ $value:expr) => { $value };
}

#[tokio::test]
async fn aws_sdk_rds_parses_every_answer() {
    let gateway = mirror_gateway().await.unwrap();
    let rds = aws_sdk_rds::Client::new(&rust_sdk_config(&gateway.url()).await);
    let tag = RdsTag::builder().key("a").value("b").build();
    let parameter = Parameter::builder().parameter_name("a").build();
    let mut p = Parsed::default();

    call!(p, rds.add_role_to_db_instance(db_instance_identifier, role_arn, feature_name));
    call!(p, rds.describe_account_attributes());
    call!(p, rds.add_tags_to_resource(resource_name, tags = tag));
    call!(
        p,
        rds.copy_db_parameter_group(
            source_db_parameter_group_identifier,
            target_db_parameter_group_identifier,
            target_db_parameter_group_description
        )
    );
    call!(p, rds.create_db_instance(db_instance_identifier, db_instance_class, engine));
    call!(p, rds.create_db_parameter_group(db_parameter_group_name, db_parameter_group_family, description));
    call!(p, rds.create_db_snapshot(db_snapshot_identifier, db_instance_identifier));
    call!(p, rds.delete_db_instance(db_instance_identifier));
    call!(p, rds.delete_db_parameter_group(db_parameter_group_name));
    call!(p, rds.delete_db_snapshot(db_snapshot_identifier));
    call!(p, rds.describe_db_engine_versions());
    call!(p, rds.describe_db_instances());
    call!(p, rds.describe_db_log_files(db_instance_identifier));
    call!(p, rds.describe_db_parameter_groups());
    call!(p, rds.describe_db_parameters(db_parameter_group_name));
    call!(p, rds.describe_db_proxies());
    call!(p, rds.describe_db_proxy_targets(db_proxy_name));
    call!(p, rds.describe_db_snapshots());
    call!(p, rds.describe_engine_default_parameters(db_parameter_group_family));
    call!(p, rds.describe_events());
    call!(p, rds.describe_orderable_db_instance_options(engine));
    call!(p, rds.describe_pending_maintenance_actions());
    call!(p, rds.download_db_log_file_portion(db_instance_identifier, log_file_name));
    call!(p, rds.list_tags_for_resource(resource_name));
    call!(p, rds.modify_db_instance(db_instance_identifier));
    call!(p, rds.modify_db_parameter_group(db_parameter_group_name, parameters = parameter));
    call!(p, rds.reboot_db_instance(db_instance_identifier));
    call!(p, rds.remove_tags_from_resource(resource_name, tag_keys));
    call!(p, rds.reset_db_parameter_group(db_parameter_group_name));
    call!(p, rds.restore_db_instance_from_db_snapshot(db_instance_identifier));

    p.all("rds");
}

#[tokio::test]
async fn aws_sdk_databasemigration_parses_every_answer() {
    let gateway = mirror_gateway().await.unwrap();
    let dms = aws_sdk_databasemigration::Client::new(&rust_sdk_config(&gateway.url()).await);
    let tag = DmsTag::builder().key("a").value("b").build();
    let table = TableToReload::builder().schema_name("a").table_name("b").build().unwrap();
    let (kind, start) = (MigrationTypeValue::FullLoadAndCdc, StartReplicationTaskTypeValue::StartReplication);
    let side = ReplicationEndpointTypeValue::Source;
    let mut p = Parsed::default();

    call!(p, dms.add_tags_to_resource(resource_arn, tags = tag));
    call!(p, dms.create_endpoint(endpoint_identifier, endpoint_type = side, engine_name));
    call!(p, dms.create_replication_instance(replication_instance_identifier, replication_instance_class));
    call!(
        p,
        dms.create_replication_subnet_group(
            replication_subnet_group_identifier,
            replication_subnet_group_description,
            subnet_ids
        )
    );
    call!(
        p,
        dms.create_replication_task(
            replication_task_identifier,
            source_endpoint_arn,
            target_endpoint_arn,
            replication_instance_arn,
            migration_type = kind,
            table_mappings
        )
    );
    call!(p, dms.delete_connection(endpoint_arn, replication_instance_arn));
    call!(p, dms.delete_endpoint(endpoint_arn));
    call!(p, dms.delete_replication_instance(replication_instance_arn));
    call!(p, dms.delete_replication_subnet_group(replication_subnet_group_identifier));
    call!(p, dms.delete_replication_task(replication_task_arn));
    call!(p, dms.describe_account_attributes());
    call!(p, dms.describe_connections());
    call!(p, dms.describe_endpoints());
    call!(p, dms.describe_engine_versions());
    call!(p, dms.describe_events());
    call!(p, dms.describe_orderable_replication_instances());
    call!(p, dms.describe_replication_instances());
    call!(p, dms.describe_replication_subnet_groups());
    call!(p, dms.describe_replication_tasks());
    call!(p, dms.describe_table_statistics(replication_task_arn));
    call!(p, dms.list_tags_for_resource(resource_arn));
    call!(p, dms.modify_endpoint(endpoint_arn));
    call!(p, dms.modify_replication_instance(replication_instance_arn));
    call!(p, dms.modify_replication_task(replication_task_arn));
    call!(p, dms.reboot_replication_instance(replication_instance_arn));
    call!(p, dms.reload_tables(replication_task_arn, tables_to_reload = table));
    call!(p, dms.remove_tags_from_resource(resource_arn, tag_keys));
    call!(p, dms.start_replication_task(replication_task_arn, start_replication_task_type = start));
    call!(p, dms.stop_replication_task(replication_task_arn));
    call!(p, dms.test_connection(replication_instance_arn, endpoint_arn));

    p.all("dms");
}

#[tokio::test]
async fn aws_sdk_route53_parses_every_answer() {
    let gateway = mirror_gateway().await.unwrap();
    let route53 = aws_sdk_route53::Client::new(&rust_sdk_config(&gateway.url()).await);
    let mut p = Parsed::default();

    call!(p, route53.change_resource_record_sets(hosted_zone_id, change_batch = batch()));
    call!(p, route53.create_hosted_zone(name, caller_reference));
    call!(p, route53.delete_hosted_zone(id));
    call!(p, route53.get_change(id = "/change/C1"));
    call!(p, route53.get_hosted_zone(id = "/hostedzone/Z1"));
    call!(p, route53.list_hosted_zones_by_name());
    call!(p, route53.list_resource_record_sets(hosted_zone_id));

    p.all("route53");
}

fn batch() -> ChangeBatch {
    let record = ResourceRecordSet::builder().name("a").r#type(RrType::A).build().unwrap();
    let change = Change::builder().action(ChangeAction::Upsert).resource_record_set(record).build().unwrap();
    ChangeBatch::builder().changes(change).build().unwrap()
}

#[tokio::test]
async fn aws_sdk_secretsmanager_parses_every_answer() {
    let gateway = mirror_gateway().await.unwrap();
    let secrets = aws_sdk_secretsmanager::Client::new(&rust_sdk_config(&gateway.url()).await);
    let tag = SecretTag::builder().key("a").value("b").build();
    let mut p = Parsed::default();

    call!(p, secrets.create_secret(name));
    call!(p, secrets.delete_secret(secret_id));
    call!(p, secrets.describe_secret(secret_id));
    call!(p, secrets.get_random_password());
    call!(p, secrets.get_secret_value(secret_id));
    call!(p, secrets.list_secrets());
    call!(p, secrets.put_secret_value(secret_id, secret_string));
    call!(p, secrets.tag_resource(secret_id, tags = tag));
    call!(p, secrets.update_secret(secret_id));
    call!(p, secrets.update_secret_version_stage(secret_id, version_stage));

    p.all("secretsmanager");
}

#[tokio::test]
async fn aws_sdk_scheduler_parses_every_answer() {
    let gateway = mirror_gateway().await.unwrap();
    let scheduler = aws_sdk_scheduler::Client::new(&rust_sdk_config(&gateway.url()).await);
    let target = || Target::builder().arn("a").role_arn("a").build().unwrap();
    let window = || FlexibleTimeWindow::builder().mode(FlexibleTimeWindowMode::Off).build().unwrap();
    let mut p = Parsed::default();

    call!(p, scheduler.create_schedule(name, schedule_expression, target = target(), flexible_time_window = window()));
    call!(p, scheduler.delete_schedule(name));
    call!(p, scheduler.get_schedule(name));
    call!(p, scheduler.list_schedules());
    call!(p, scheduler.update_schedule(name, schedule_expression, target = target(), flexible_time_window = window()));

    p.all("scheduler");
}

#[tokio::test]
async fn values_survive_each_protocol() {
    let gateway = mirror_gateway().await.unwrap();
    let config = rust_sdk_config(&gateway.url()).await;
    let text = |name: &str| format!("{name} <&\"'> \u{fc}\u{20ac}\u{1f600}\\ \t\n\r.");

    let instances = aws_sdk_rds::Client::new(&config).describe_db_instances().send().await.unwrap();
    let instance = &instances.db_instances()[1];
    assert_eq!(instance.db_instance_identifier(), Some(text("DBInstanceIdentifier").as_str()));
    assert_eq!(instance.instance_create_time().unwrap().to_millis().unwrap(), 1_769_853_600_125);
    assert_eq!(instance.endpoint().unwrap().port(), Some(7));
    assert_eq!(instance.status_infos().len(), 2);

    let tasks = aws_sdk_databasemigration::Client::new(&config).describe_replication_tasks().send().await.unwrap();
    let task = &tasks.replication_tasks()[1];
    assert_eq!(task.replication_task_arn(), Some(text("ReplicationTaskArn").as_str()));
    assert_eq!(task.replication_task_start_date().unwrap().to_millis().unwrap(), 1_769_853_600_125);

    let zones = aws_sdk_route53::Client::new(&config).list_hosted_zones_by_name().send().await.unwrap();
    assert_eq!(zones.hosted_zones()[0].name(), text("Name"));

    let secret = aws_sdk_secretsmanager::Client::new(&config).get_secret_value().secret_id("a").send().await.unwrap();
    assert_eq!(secret.secret_string(), Some(text("SecretString").as_str()));
    assert_eq!(secret.secret_binary().unwrap().as_ref(), [0, 1, 254, 255]);
}

/// Plan an error for an operation, and see how the crate's error describes itself.
fn plan(gateway: &Gateway, service: &str, operation: &str, code: &str, status: u16) {
    gateway.faults().clear();
    gateway.faults().plan(Mirror::refusal(service, operation, code, status));
}

fn debugged<T: Debug, E: Debug>(answer: Result<T, E>) -> String {
    format!("{:?}", answer.unwrap_err())
}

#[tokio::test]
async fn modelled_errors_become_the_crates_own_variants() {
    let gateway = mirror_gateway().await.unwrap();
    let config = rust_sdk_config(&gateway.url()).await;

    plan(&gateway, "rds", "DescribeDBInstances", "DBInstanceNotFound", 404);
    let error =
        aws_sdk_rds::Client::new(&config).describe_db_instances().send().await.unwrap_err().into_service_error();
    assert!(error.is_db_instance_not_found_fault() && error.meta().message() == Some("on purpose"), "{error:?}");

    plan(&gateway, "dms", "StartReplicationTask", "InvalidResourceStateFault", 400);
    let dms = aws_sdk_databasemigration::Client::new(&config);
    let start = dms.start_replication_task().replication_task_arn("a");
    let start = start.start_replication_task_type(StartReplicationTaskTypeValue::StartReplication).send().await;
    let error = start.unwrap_err().into_service_error();
    assert!(error.is_invalid_resource_state_fault() && error.meta().message() == Some("on purpose"), "{error:?}");

    plan(&gateway, "route53", "ChangeResourceRecordSets", "InvalidChangeBatch", 400);
    let route53 = aws_sdk_route53::Client::new(&config);
    let change = route53.change_resource_record_sets().hosted_zone_id("Z1").change_batch(batch()).send().await;
    let error = change.unwrap_err().into_service_error();
    assert!(error.is_invalid_change_batch() && error.meta().message() == Some("on purpose"), "{error:?}");

    plan(&gateway, "scheduler", "GetSchedule", "ResourceNotFoundException", 404);
    let scheduler = aws_sdk_scheduler::Client::new(&config);
    let error = scheduler.get_schedule().name("a").send().await.unwrap_err().into_service_error();
    assert!(error.is_resource_not_found_exception(), "{error:?}");

    plan(&gateway, "secretsmanager", "GetSecretValue", "ResourceNotFoundException", 400);
    let secrets = aws_sdk_secretsmanager::Client::new(&config);
    let error = secrets.get_secret_value().secret_id("a").send().await.unwrap_err().into_service_error();
    assert!(error.is_resource_not_found_exception(), "{error:?}");
}

#[tokio::test]
async fn a_lost_answer_is_an_error_of_the_connection() {
    let gateway = mirror_gateway().await.unwrap();
    gateway.faults().plan("rds:DescribeDBInstances:1:lose-answer".parse().unwrap());
    let rds = aws_sdk_rds::Client::new(&rust_sdk_config(&gateway.url()).await);

    let error = debugged(rds.describe_db_instances().send().await);

    assert!(error.contains("DispatchFailure"), "{error}");
    assert!(rds.describe_db_instances().send().await.is_ok(), "the next call goes through");
}
