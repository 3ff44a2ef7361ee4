//! Ways that a run seldom takes: with these, every action of every policy is called by some test (`make policies`).

use anyhow::{Context, Result};
use aws_sdk_rds::types::{ApplyMethod, Parameter, Tag};
use local_aws_rds::PlannedFault;
use pgleap_contract::ErrorCode;
use pgleap_contract::steps::{
    DatabaseSize, PrepareReplicationInput, RestoreTargetInput, UpgradeHop, UpgradeTargetInput, UpgradeWay,
};
use pgleap_step_kit::Polled;
use step_tests::{SOURCE, TARGET, World, once_allowed, until_done, wait_for};

const ROLE: &str = "arn:aws:iam::111122223333:role/imports-from-s3";

#[tokio::test]
async fn an_instance_that_no_waiting_mends_is_told_with_its_events() -> Result<()> {
    let world = World::start(15).await?;
    world.aws.rds().plan(SOURCE, PlannedFault::StorageFull).await?;

    let configured = configure_source::run(world.as_step("configure-source"), world.run_only()).await;
    let rebooted = reboot_source::run(world.as_step("reboot-source"), world.run_only()).await;

    for error in [configured.err().context("configured")?, rebooted.err().context("rebooted")?] {
        assert_eq!(error.code, ErrorCode::InstanceFailed);
        assert!(error.message.contains("storage") && error.message.contains("exhausted"), "{}", error.message);
    }
    world.aws.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_snapshot_that_failed_is_told_with_its_events() -> Result<()> {
    let world = World::start(15).await?;
    world.configure_source().await?;
    let look = async || snapshot_source::run(world.as_step("snapshot-source"), world.run_only()).await;
    world.aws.rds().plan(SOURCE, PlannedFault::FailSnapshot).await?;

    let error = wait_for("the snapshot to fail", async || Ok(look().await.err())).await?;

    assert_eq!(error.code, ErrorCode::InstanceFailed, "{}", error.message);
    world.aws.stop().await;
    Ok(())
}

/// Jobs that are kept still and let go again, a role for a feature, values that wait for a reboot on both ways.
#[tokio::test]
async fn a_source_with_jobs_and_roles_is_copied_and_its_jobs_go_on() -> Result<()> {
    let world = World::start(15).await?;
    attach(&world, SOURCE, "users", "users", &[("shared_preload_libraries", "pg_stat_statements,pg_cron")]).await?;
    let role = world.rds().add_role_to_db_instance().db_instance_identifier(SOURCE).role_arn(ROLE);
    let role = role.feature_name("s3Import");
    once_allowed("the role", async || role.clone().send().await).await?;
    let limit = world.rds().modify_db_instance().db_instance_identifier(SOURCE).max_allocated_storage(1_000);
    once_allowed("the limit of its storage", async || limit.clone().send().await).await?;
    world.prepare_source().await?;
    until_done("snapshot-source", async || {
        snapshot_source::run(world.as_step("snapshot-source"), world.run_only()).await
    })
    .await?;

    // What an earlier call of restore-target left half made.
    make_group(&world, &world.run.names().quiet_parameter_group(), world.run.id.as_str()).await?;
    let restore = async || {
        let input = RestoreTargetInput { run: world.run.clone(), source: world.source.clone() };
        restore_target::run(world.as_step("restore-target"), input).await
    };
    until_done("restore-target", restore).await?;
    set(&world, &world.run.names().quiet_parameter_group(), &[("max_connections", "120")]).await?;
    until_done("restore-target, again", restore).await?;
    assert!(reboots(&world) >= 1, "the value waited for a reboot");

    // The way without its hop: the copy has the wanted version already, and lives with the group of it.
    let version = instance(&world, TARGET).await?.engine_version.context("no version")?;
    let group = world.run.names().target_parameter_group("postgres15");
    let values = [("shared_preload_libraries", "pg_stat_statements,pg_cron"), ("cron.launch_active_jobs", "off")];
    attach(&world, TARGET, &group, world.run.id.as_str(), &values).await?;
    let upgrade = || UpgradeTargetInput { run: world.run.clone(), way: way_to(&version) };
    until_done("upgrade-target", async || upgrade_target::run(world.as_step("upgrade-target"), upgrade()).await)
        .await?;
    assert_eq!(instance(&world, TARGET).await?.max_allocated_storage(), Some(1_000));
    let roles = instance(&world, TARGET).await?.associated_roles.unwrap_or_default();
    assert_eq!(roles.first().and_then(|role| role.role_arn()), Some(ROLE));

    let resume = async || {
        until_done("resume-jobs", async || resume_jobs::run(world.as_step("resume-jobs"), world.run_only()).await).await
    };
    resume().await?;
    assert_eq!(value(&world, &group).await?, None, "the user set none");
    set(&world, "users", &[("cron.launch_active_jobs", "on")]).await?;
    resume().await?;
    assert_eq!(value(&world, &group).await?.as_deref(), Some("on"), "the user's own");

    world.aws.rds().plan(TARGET, PlannedFault::StorageFull).await?;
    let error = wait_for("the copy to be broken", async || Ok(restore().await.err())).await?;
    assert!(error.to_string().contains("exhausted"), "{error}");
    world.aws.stop().await;
    Ok(())
}

fn way_to(version: &str) -> UpgradeWay {
    UpgradeWay {
        from: "15.0".to_owned(),
        hops: vec![UpgradeHop { version: version.to_owned(), family: "postgres15".to_owned() }],
        dms_engine_version: Some("3.6.1".to_owned()),
        subnet_ids: Vec::new(),
        security_group_ids: Vec::new(),
    }
}

async fn instance(world: &World, name: &str) -> Result<aws_sdk_rds::types::DbInstance> {
    let answer = world.rds().describe_db_instances().db_instance_identifier(name).send().await?;
    answer.db_instances.unwrap_or_default().into_iter().next().context("no instance")
}

/// A group with these values, tagged, attached to an instance.
async fn attach(world: &World, name: &str, group: &str, run: &str, values: &[(&str, &str)]) -> Result<()> {
    make_group(world, group, run).await?;
    set(world, group, values).await?;
    let modify = world.rds().modify_db_instance().db_instance_identifier(name).db_parameter_group_name(group);
    let modify = modify.apply_immediately(true);
    once_allowed("a modification", async || modify.clone().send().await).await?;
    wait_for("the group", async || {
        let instance = instance(world, name).await?;
        let has = instance.db_parameter_groups().first().and_then(|has| has.db_parameter_group_name());
        Ok((has == Some(group) && instance.db_instance_status() == Some("available")).then_some(()))
    })
    .await
}

async fn make_group(world: &World, group: &str, run: &str) -> Result<()> {
    let make = world.rds().create_db_parameter_group().db_parameter_group_name(group).description("of the tests");
    let tag = Tag::builder().key("pgleap:run").value(run).build();
    make.db_parameter_group_family("postgres15").tags(tag).send().await?;
    Ok(())
}

async fn set(world: &World, group: &str, values: &[(&str, &str)]) -> Result<()> {
    let parameters = values.iter().map(|(name, value)| {
        let method = if name.starts_with("cron.") { ApplyMethod::Immediate } else { ApplyMethod::PendingReboot };
        Parameter::builder().parameter_name(*name).parameter_value(*value).apply_method(method).build()
    });
    let modify = world.rds().modify_db_parameter_group().db_parameter_group_name(group);
    modify.set_parameters(Some(parameters.collect())).send().await?;
    Ok(())
}

async fn value(world: &World, group: &str) -> Result<Option<String>> {
    let pages = world.rds().describe_db_parameters().db_parameter_group_name(group).source("user").send().await?;
    let found = pages.parameters().iter().find(|known| known.parameter_name() == Some("cron.launch_active_jobs"));
    Ok(found.and_then(|known| known.parameter_value().map(str::to_owned)))
}

/// Of the copy, by the step that made it.
fn reboots(world: &World) -> usize {
    let calls = world.aws.calls().since(0);
    calls.iter().filter(|call| call.operation == "RebootDBInstance" && call.caller == "pgleap-restore-target").count()
}

/// While its volume comes from S3 the copy serves SQL, and RDS changes it later.
#[tokio::test]
async fn a_copy_whose_storage_is_initialized_is_isolated_at_once_and_upgraded_later() -> Result<()> {
    let world = World::start_to(15, "16").await?;
    world.prepare_source().await?;
    let way = check_instance::run(world.as_step("check-instance"), world.run_only()).await?.way.context("no way")?;
    world.aws.rds().plan(SOURCE, PlannedFault::InitializeStorage).await?;

    world.make_copy().await?;
    let copy = instance(&world, TARGET).await?;
    assert_eq!(copy.db_instance_status(), Some("storage-initialization"), "it was not waited for");
    assert_eq!(copy.storage_operation_status(), Some("Initializing"));
    let upgrade = || UpgradeTargetInput { run: world.run.clone(), way: way.clone() };
    let look = async || upgrade_target::run(world.as_step("upgrade-target"), upgrade()).await;
    let Polled::Waiting(waits) = look().await? else { panic!("it does not wait") };

    assert!(waits.contains("is storage-initialization (") && waits.contains(" %): "), "{waits}");
    until_done("upgrade-target", look).await?;
    let version = instance(&world, TARGET).await?.engine_version.context("no version")?;
    assert!(version.starts_with("16."), "{version}");
    world.aws.stop().await;
    Ok(())
}

/// Somebody deletes the replication instance under the run.
#[tokio::test]
async fn a_replication_instance_that_goes_is_told_with_its_events() -> Result<()> {
    let world = World::start(15).await?;
    let input = || PrepareReplicationInput {
        run: world.run.clone(),
        source: world.source.clone(),
        way: UpgradeWay { subnet_ids: vec!["subnet-a".to_owned(), "subnet-b".to_owned()], ..way_to("15.0") },
        size: DatabaseSize { tables: 1, bytes: 1 << 20, sequences: 0 },
        ingress: None,
    };
    let role = "arn:aws:iam::111122223333:role/DmsSecretRole";
    let create = async || {
        prepare_replication::run_with(world.as_step("prepare-replication"), input(), role, &crate::both::stack()).await
    };
    let dms = aws_sdk_databasemigration::Client::new(world.ctx.aws());
    let arn = wait_for("the replication instance", async || {
        let _no_secrets_yet = create().await;
        let found = dms.describe_replication_instances().send().await?.replication_instances.unwrap_or_default();
        let usable = found.into_iter().find(|one| one.replication_instance_status() == Some("available"));
        Ok(usable.and_then(|one| one.replication_instance_arn))
    })
    .await?;
    dms.delete_replication_instance().replication_instance_arn(arn).send().await?;

    let error = create().await.err().context("it goes on")?;

    assert_eq!(error.code, ErrorCode::InstanceFailed, "{}", error.message);
    assert!(error.message.contains("deleting"), "{}", error.message);
    world.aws.stop().await;
    Ok(())
}
