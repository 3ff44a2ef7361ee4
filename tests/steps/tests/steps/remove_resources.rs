//! `remove-resources` against the local RDS, Scheduler and Secrets Manager.

use anyhow::{Context, Result};
use arm_deadline::Recovery;
use aws_sdk_rds::types::Tag;
use pgleap_contract::steps::{ArmDeadlineInput, Arming, Part, RemoveResourcesInput, RemoveResourcesOutput};
use pgleap_contract::{ErrorCode, Generation, Names, Outcome};
use pgleap_mark::State;
use pgleap_step_kit::StepError;
use step_tests::{SOURCE, TARGET, World, until_done, wait_for};

const STRANGERS_GROUP: &str = "pgleap-orders-run-2-quiet";

fn tag(run: &str) -> Tag {
    Tag::builder().key(Names::TAG).value(run).build()
}

async fn create_group(world: &World, name: &str, run: &str) -> Result<()> {
    let request = world.rds().create_db_parameter_group().db_parameter_group_name(name);
    request.db_parameter_group_family("postgres15").description("test").tags(tag(run)).send().await?;
    Ok(())
}

/// What a run has made by the time its copy is restored: snapshot, copy, groups, secrets, schedule.
async fn make_everything(world: &World) -> Result<()> {
    let names = world.run.names();
    world.configure_source().await?;
    until_done("snapshot-source", async || {
        snapshot_source::run(world.as_step("snapshot-source"), world.run_only()).await
    })
    .await?;
    for group in [names.quiet_parameter_group(), names.target_parameter_group("postgres15")] {
        create_group(world, &group, world.run.id.as_str()).await?;
    }
    create_group(world, STRANGERS_GROUP, "orders-run-2").await?;
    restore(world, world.run.id.as_str()).await?;
    let secrets = aws_sdk_secretsmanager::Client::new(world.ctx.aws());
    let tag = aws_sdk_secretsmanager::types::Tag::builder().key(Names::TAG).value(world.run.id.as_str()).build();
    for name in [
        names.work_secret(),
        names.owner_secret(),
        names.copy_source_secret(),
        names.copy_target_secret(),
        names.record_secret(),
    ] {
        secrets.create_secret().name(name).secret_string("{}").tags(tag.clone()).send().await?;
    }
    let recovery = Recovery {
        machine_arn: "arn:aws:states:eu-west-1:123456789012:stateMachine:pgleap-recover".to_owned(),
        role_arn: "arn:aws:iam::111122223333:role/DeadlineRole".to_owned(),
    };
    let input = ArmDeadlineInput {
        run: world.run.clone(),
        source: world.source.clone(),
        target: world.source.clone(),
        generation: Generation::FORWARD,
        part: Arming::Switch,
        switch: None,
    };
    arm_deadline::run_with(world.as_step("arm-deadline"), input.clone(), recovery.clone()).await?;
    let fence = ArmDeadlineInput { part: Arming::Fence, ..input };
    arm_deadline::run_with(world.as_step("arm-deadline"), fence, recovery).await?;
    Ok(())
}

/// As `open-target` or `unfence-source` leaves the mark.
async fn decide(world: &World, state: State) -> Result<()> {
    Ok(pgleap_mark::decide(&world.ctx, &world.run, Generation::FORWARD, state).await?)
}

async fn restore(world: &World, run: &str) -> Result<()> {
    let names = world.run.names();
    world
        .rds()
        .restore_db_instance_from_db_snapshot()
        .db_instance_identifier(TARGET)
        .db_snapshot_identifier(names.snapshot())
        .db_parameter_group_name(names.target_parameter_group("postgres15"))
        .deletion_protection(true)
        .tags(tag(run))
        .tags(Tag::builder().key(Names::DELETABLE_TAG).value(run).build())
        .send()
        .await?;
    wait_for("the copy", async || {
        let found = world.rds().describe_db_instances().db_instance_identifier(TARGET).send().await?;
        let status = found.db_instances().first().and_then(|instance| instance.db_instance_status());
        Ok((status == Some("available")).then_some(()))
    })
    .await
}

async fn remove(world: &World, outcome: Outcome) -> Result<RemoveResourcesOutput> {
    remove_part(world, outcome, Part::All).await
}

async fn remove_part(world: &World, outcome: Outcome, part: Part) -> Result<RemoveResourcesOutput> {
    until_done("remove-resources", async || {
        let input = RemoveResourcesInput { run: world.run.clone(), outcome, generation: Generation::FORWARD, part };
        remove_resources::run(world.as_step("remove-resources"), input).await
    })
    .await
}

async fn instances(world: &World) -> Result<Vec<String>> {
    let found = world.rds().describe_db_instances().send().await?;
    Ok(found
        .db_instances()
        .iter()
        .filter_map(|instance| instance.db_instance_identifier().map(str::to_owned))
        .collect())
}

async fn groups(world: &World) -> Result<Vec<String>> {
    let found = world.rds().describe_db_parameter_groups().send().await?;
    let names =
        found.db_parameter_groups().iter().filter_map(|group| group.db_parameter_group_name().map(str::to_owned));
    let mut ours: Vec<String> = names.filter(|name| name.starts_with("pgleap-")).collect();
    ours.sort();
    Ok(ours)
}

async fn snapshots(world: &World) -> Result<usize> {
    let found = world.rds().describe_db_snapshots().snapshot_type("manual").send().await?;
    Ok(found.db_snapshots().len())
}

#[tokio::test]
async fn after_a_rollback_everything_goes_but_the_source_and_its_group() -> Result<()> {
    let world = World::start(15).await?;
    make_everything(&world).await?;
    decide(&world, State::Back { target_holds_back: true }).await?;

    let output = remove(&world, Outcome::Back).await?;

    let source_group = world.run.names().source_parameter_group();
    assert_eq!(instances(&world).await?, [SOURCE]);
    assert_eq!(snapshots(&world).await?, 0);
    assert_eq!(groups(&world).await?, [STRANGERS_GROUP.to_owned(), source_group.clone()]);
    assert_eq!(world.aws.secrets().names(), ["orders/owner"]);
    assert!(world.aws.scheduler().names().is_empty());
    assert_eq!(output.kept.len(), 1, "{:?}", output.kept);
    assert!(output.kept[0].contains(&source_group), "{:?}", output.kept);

    let changes = world.changes();
    remove(&world, Outcome::Back).await?;
    assert_eq!(world.changes(), changes, "a second run changes nothing");
    world.aws.stop().await;
    Ok(())
}

/// "Back" without the target's own word: nobody can tell whether it was ever open.
#[tokio::test]
async fn a_target_that_could_not_be_asked_is_kept_and_named() -> Result<()> {
    let world = World::start(15).await?;
    make_everything(&world).await?;
    decide(&world, State::Back { target_holds_back: false }).await?;

    let output = remove_part(&world, Outcome::Back, Part::BeforeDatabases).await?;

    assert_eq!(instances(&world).await?, [SOURCE, TARGET]);
    let kept = output.kept.iter().find(|kept| kept.contains(TARGET)).context("it is not named")?;
    assert!(kept.contains("could not be asked"), "{kept}");
    // It answers later, and holds the rollback: now it goes.
    decide(&world, State::Back { target_holds_back: true }).await?;
    remove(&world, Outcome::Back).await?;
    assert_eq!(instances(&world).await?, [SOURCE]);
    world.aws.stop().await;
    Ok(())
}

#[tokio::test]
async fn nothing_is_removed_as_after_a_rollback_while_the_cutover_is_undecided_or_the_target_open() -> Result<()> {
    let world = World::start(15).await?;
    make_everything(&world).await?;

    for state in [None, Some(State::Open)] {
        if let Some(state) = state {
            decide(&world, state).await?;
        }
        let refused = remove(&world, Outcome::Back).await.expect_err("the mark says otherwise");
        let refused = refused.downcast::<StepError>()?;
        assert_eq!(refused.code, ErrorCode::UnfenceUnsafe, "{refused}");
        assert_eq!((instances(&world).await?.len(), snapshots(&world).await?), (2, 1));
    }
    world.aws.stop().await;
    Ok(())
}

#[tokio::test]
async fn after_open_the_target_and_its_group_stay_and_no_later_run_of_this_name_can_delete_it() -> Result<()> {
    let world = World::start(15).await?;
    make_everything(&world).await?;
    decide(&world, State::Open).await?;
    let names = world.run.names();

    remove_part(&world, Outcome::Open, Part::BeforeDatabases).await?;
    let left = [
        "orders/owner".to_owned(),
        names.cutover_secret(Generation::FORWARD),
        names.owner_secret(),
        names.work_secret(),
    ];
    assert_eq!(world.aws.secrets().names(), left, "the mark goes last");
    let output = remove(&world, Outcome::Open).await?;

    assert_eq!(instances(&world).await?, [SOURCE, TARGET]);
    assert_eq!(snapshots(&world).await?, 0);
    assert_eq!(world.aws.secrets().names(), ["orders/owner"]);
    let kept = [STRANGERS_GROUP.to_owned(), names.source_parameter_group(), names.target_parameter_group("postgres15")];
    assert_eq!(groups(&world).await?, kept);
    assert_eq!(output.kept.len(), 2, "{:?}", output.kept);

    let later = remove(&world, Outcome::Back).await?;

    assert_eq!(instances(&world).await?, [SOURCE, TARGET]);
    assert!(later.kept.iter().any(|kept| kept.contains(TARGET)), "{:?}", later.kept);
    world.aws.stop().await;
    Ok(())
}

#[tokio::test]
async fn an_instance_that_the_run_has_not_made_is_never_deleted() -> Result<()> {
    let world = World::start(15).await?;
    world.configure_source().await?;
    until_done("snapshot-source", async || {
        snapshot_source::run(world.as_step("snapshot-source"), world.run_only()).await
    })
    .await?;
    create_group(&world, &world.run.names().target_parameter_group("postgres15"), "orders-run").await?;
    restore(&world, "another-run").await?;

    let output = remove(&world, Outcome::Back).await?;

    assert_eq!(instances(&world).await?, [SOURCE, TARGET]);
    let reason = output.kept.iter().find(|kept| kept.contains(TARGET)).context("not named")?;
    assert!(reason.contains("tag"), "{reason}");
    world.aws.stop().await;
    Ok(())
}
