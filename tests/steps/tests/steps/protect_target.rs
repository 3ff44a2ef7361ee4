//! `protect-target` against the local AWS: a standby and backups of a restored target, and whatever else only protects or watches.

use anyhow::{Context, Result};
use aws_sdk_rds::types::DbInstance;
use local_aws_core::Outcome;
use local_aws_rds::PlannedFault;
use pgleap_contract::ErrorCode;
use pgleap_contract::steps::{ProtectPart, ProtectTargetInput, ProtectTargetOutput};
use pgleap_step_kit::{Polled, StepResult};
use step_tests::{SOURCE, TARGET, World, once_allowed, until_done, wait_for};

const ROLE: &str = "arn:aws:iam::111122223333:role/rds-monitoring";
const WINDOW: &str = "tue:01:00-tue:01:30";

async fn look(world: &World, part: ProtectPart) -> StepResult<Polled<ProtectTargetOutput>> {
    let input = ProtectTargetInput { run: world.run.clone(), part };
    protect_target::run(world.as_step("protect-target"), input).await
}

async fn instance(world: &World, name: &str) -> Result<DbInstance> {
    let answer = world.rds().describe_db_instances().db_instance_identifier(name).send().await?;
    answer.db_instances.unwrap_or_default().into_iter().next().context("no instance")
}

/// A source that is protected and watched in every way, and its copy.
async fn a_protected_source_and_its_copy() -> Result<World> {
    let world = World::start(15).await?;
    world.prepare_source().await?;
    let modify = world.rds().modify_db_instance().db_instance_identifier(SOURCE).apply_immediately(true).multi_az(true);
    let modify = modify.backup_retention_period(7).monitoring_interval(60).monitoring_role_arn(ROLE);
    let modify = modify.enable_performance_insights(true).performance_insights_retention_period(7);
    let modify = modify.preferred_maintenance_window(WINDOW).deletion_protection(true);
    once_allowed("the source's settings", async || modify.clone().send().await).await?;
    wait_for("the source's standby", async || {
        let source = instance(&world, SOURCE).await?;
        Ok((source.multi_az() == Some(true) && source.db_instance_status() == Some("available")).then_some(()))
    })
    .await?;
    world.make_copy().await?;
    Ok(world)
}

#[tokio::test]
async fn a_target_gets_standby_and_backups_after_the_load_and_no_cutover_begins_before() -> Result<()> {
    let world = a_protected_source_and_its_copy().await?;
    let before = instance(&world, TARGET).await?;
    assert_eq!((before.multi_az(), before.backup_retention_period()), (Some(false), Some(0)), "until the load is over");

    let begun = wait_for("the request", async || {
        let done = look(&world, ProtectPart::Begin).await?.done().is_some();
        let pending = instance(&world, TARGET).await?.pending_modified_values.and_then(|pending| pending.multi_az);
        Ok(pending.map(|_| done))
    })
    .await?;
    assert!(begun, "it is not waited for");
    assert!(matches!(look(&world, ProtectPart::Finish).await?, Polled::Waiting(_)), "but before the cutover it is");
    wait_for("the first backup", async || {
        Ok((instance(&world, TARGET).await?.db_instance_status() == Some("backing-up")).then_some(()))
    })
    .await?;
    until_done("standby and backups", async || look(&world, ProtectPart::Await).await).await?;
    let changes = world.changes();
    assert!(look(&world, ProtectPart::Await).await?.done().is_some());
    assert_eq!(world.changes(), changes, "a second time changes nothing");

    let finished = until_done("the rest", async || look(&world, ProtectPart::Finish).await).await?;

    assert_eq!(finished.unset, []);
    let (source, target) = (instance(&world, SOURCE).await?, instance(&world, TARGET).await?);
    assert!(target.latest_restorable_time().is_some());
    let of = |instance: &DbInstance| {
        (
            (instance.multi_az, instance.backup_retention_period, instance.deletion_protection),
            (instance.monitoring_interval, instance.monitoring_role_arn.clone()),
            (instance.performance_insights_enabled, instance.performance_insights_retention_period),
            instance.preferred_maintenance_window.clone(),
        )
    };
    assert_eq!(of(&target), of(&source));
    world.aws.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_setting_that_rds_refuses_is_a_warning_and_the_others_are_set() -> Result<()> {
    let world = a_protected_source_and_its_copy().await?;
    until_done("standby and backups", async || look(&world, ProtectPart::Await).await).await?;
    // All at once; then monitoring, and the insights.
    for call in [1, 3] {
        let fault = format!("rds:ModifyDBInstance:{call}:error=KMSKeyNotAccessibleFault,400,the key is not there");
        world.aws.faults().plan(fault.parse()?);
    }

    let finished = until_done("the rest", async || look(&world, ProtectPart::Finish).await).await?;

    let [unset] = &finished.unset[..] else { panic!("one is unset: {:?}", finished.unset) };
    assert_eq!(unset.object, "setting of instance orders-next: Performance Insights");
    assert_eq!(unset.reason, "the key is not there (KMSKeyNotAccessibleFault)");
    assert!(unset.statements.contains("--enable-performance-insights"), "{}", unset.statements);
    let target = instance(&world, TARGET).await?;
    assert_eq!(target.performance_insights_enabled(), Some(false));
    assert_eq!((target.monitoring_interval(), target.deletion_protection()), (Some(60), Some(true)));
    assert_eq!(target.preferred_maintenance_window(), Some(WINDOW));

    world.aws.rds().plan(TARGET, PlannedFault::StorageFull).await?;
    let error = look(&world, ProtectPart::Await).await.err().context("it goes on")?;
    assert_eq!(error.code, ErrorCode::InstanceFailed);
    assert!(error.message.contains("exhausted"), "with RDS's events: {error}");
    world.aws.stop().await;
    Ok(())
}

/// A source that has grown to its limit: RDS takes no such limit for its copy.
#[tokio::test]
async fn a_limit_of_storage_that_is_too_near_is_a_warning_and_is_never_asked_for() -> Result<()> {
    let world = World::start(15).await?;
    let modify = world.rds().modify_db_instance().db_instance_identifier(SOURCE).apply_immediately(true);
    let limit = modify.clone().max_allocated_storage(100);
    once_allowed("the limit", async || limit.clone().send().await).await?;
    let grown = modify.allocated_storage(95);
    once_allowed("the growth", async || grown.clone().send().await).await?;
    wait_for("the storage", async || {
        let source = instance(&world, SOURCE).await?;
        let grown = (source.allocated_storage(), source.max_allocated_storage()) == (Some(95), Some(100));
        Ok((grown && source.db_instance_status() == Some("available")).then_some(()))
    })
    .await?;
    world.prepare_source().await?;
    world.make_copy().await?;
    let before = world.aws.calls().since(0).len();

    let finished = until_done("protection", async || look(&world, ProtectPart::Finish).await).await?;

    let [unset] = &finished.unset[..] else { panic!("one is unset: {:?}", finished.unset) };
    assert_eq!(unset.object, "setting of instance orders-next: limit of storage autoscaling");
    assert!(unset.statements.contains("--max-allocated-storage 105"), "{}", unset.statements);
    let calls = world.aws.calls().since(0);
    let refused = calls.iter().skip(before).filter(|call| call.operation == "ModifyDBInstance");
    assert!(refused.into_iter().all(|call| call.outcome == Outcome::Answered), "nothing was refused");
    let near = world.rds().modify_db_instance().db_instance_identifier(TARGET).max_allocated_storage(100).send().await;
    let said = near.err().and_then(|error| error.into_service_error().meta().message().map(str::to_owned));
    assert_eq!(said.as_deref(), Some("The maximum allocated storage must be increased by at least 10 percent."));
    world.aws.stop().await;
    Ok(())
}
