//! The target from the snapshot to the moment after OPEN, against the local AWS: each step until it is done, then again.

use std::future::Future;
use std::time::Duration;

use anyhow::{Context, Result};
use aws_sdk_rds::types::{ApplyMethod, Parameter};
use local_aws_core::{Effect, Fault, Outcome};
use pgleap_contract::steps::{
    CheckInstanceOutput, EmptyTargetOutput, OnBoth, ProtectPart, ProtectTargetInput, RestoreTargetInput,
    SettleTargetInput, UnderFence, UpgradeTargetInput, UpgradeWay,
};
use pgleap_contract::{ErrorCode, FailBack, Server};
use pgleap_pg::Session;
use pgleap_step_kit::{Polled, StepError, StepResult};
use step_tests::{DATABASE, SOURCE, TARGET, World, cutover_in, until_done, wait_for};

/// Run a step until it is done, then once more: that must end the same way and change nothing in AWS. It may take a few
/// looks, because a restored instance says `available` once before it goes on changing.
macro_rules! done_and_again {
    ($world:expr, $name:literal, $step:path, $input:expr) => {{
        let done = async || until_done($name, async || $step($world.as_step($name), $input).await).await;
        let first = done().await?;
        let changes = $world.changes();
        let second = done().await?;
        assert_eq!(first, second, "{}", $name);
        assert_eq!(changes, $world.changes(), "{}: the second call changes nothing", $name);
        first
    }};
}

#[tokio::test]
async fn a_target_is_made_upgraded_prepared_rebuilt_and_completed() -> Result<()> {
    let world = World::start(13).await?;
    give_users_group(&world).await?;
    world.load_rehearsal().await?;
    world.prepare_source().await?;
    let way = way(&world).await?;
    let admin = world.rdsadmin(SOURCE, &world.source.database).await?;
    admin.execute("SELECT pg_create_logical_replication_slot('of_somebody', 'test_decoding')", &[]).await?;
    until_done("snapshot-source", async || {
        snapshot_source::run(world.as_step("snapshot-source"), world.run_only()).await
    })
    .await?;

    let restore = || RestoreTargetInput { run: world.run.clone(), source: world.source.clone() };
    let target = done_and_again!(world, "restore-target", restore_target::run, restore()).target;
    let both = || OnBoth { run: world.run.clone(), source: world.source.clone(), target: target.clone() };
    done_and_again!(world, "isolate-target", isolate_target::run, both());
    assert_isolated(&world, &target).await?;

    let upgrade = || UpgradeTargetInput { run: world.run.clone(), way: way.clone() };
    done_and_again!(world, "upgrade-target", upgrade_target::run, upgrade());
    assert_upgraded(&world, &target).await?;

    done_and_again!(world, "prepare-target", prepare_target::run, both());
    let emptied =
        until_done("empty-target", async || empty_target::run(world.as_step("empty-target"), both()).await).await?;
    assert_eq!(Polled::Done(emptied.clone()), empty_target::run(world.as_step("empty-target"), both()).await?);
    assert_selected(&emptied);

    done_and_again!(world, "rebuild-target", rebuild_target::run, both());
    done_and_again!(world, "analyze-target", analyze_target::run, both());
    let protect = || ProtectTargetInput { run: world.run.clone(), part: ProtectPart::Finish };
    let protected = done_and_again!(world, "protect-target", protect_target::run, protect());
    assert_eq!(protected.unset, []);
    complete(&world, &target).await?;
    done_and_again!(world, "resume-jobs", resume_jobs::run, world.run_only());
    done_and_again!(world, "settle-target", settle_target::run, settled(&world, &target));
    let owner = world.ctx.as_owner(&world.run, &target).await?;
    let sql = "SELECT string_agg(conname, ', ' ORDER BY conname) FROM pg_constraint WHERE NOT convalidated";
    let not_valid = owner.row("read constraints", sql, &[]).await?.get::<_, Option<String>>(0);
    assert_eq!(not_valid.as_deref(), Some("Archive -> user"), "as on the source");
    assert_eq!(count(&owner, "SELECT count(*) FROM pgleap.chore WHERE done_at IS NULL AND phase <> 'calm'").await?, 0);
    Ok(())
}

#[tokio::test]
async fn row_security_is_off_while_dms_writes_and_on_again_before_anybody_gets_in() -> Result<()> {
    let schema =
        "CREATE TABLE public.secured (id int PRIMARY KEY); ALTER TABLE public.secured ENABLE ROW LEVEL SECURITY;
        CREATE POLICY few ON public.secured USING (id < 3)";
    let world = World::start_to(15, "17").await?;
    world.owner().await?.run("fill the source", schema).await?;
    world.prepare_source().await?;
    let (way, target) = (way(&world).await?, world.make_copy().await?);
    let both = || OnBoth { run: world.run.clone(), source: world.source.clone(), target: target.clone() };
    let upgrade = || UpgradeTargetInput { run: world.run.clone(), way: way.clone() };
    done_and_again!(world, "upgrade-target", upgrade_target::run, upgrade());
    done_and_again!(world, "prepare-target", prepare_target::run, both());
    until_done("empty-target", async || empty_target::run(world.as_step("empty-target"), both()).await).await?;

    let dms = world.ctx.connect(&world.run, &target, &world.run.names().copy_target_secret()).await?;
    dms.run("write", "INSERT INTO public.secured VALUES (11); UPDATE public.secured SET id = 12 WHERE id = 11").await?;
    complete_target::run(world.as_step("complete-target"), under_fence(&world, &target)).await?;

    let owner = world.ctx.as_target_owner(&world.run, &target).await?;
    let sql = "SELECT relrowsecurity, (SELECT count(*) FROM public.secured) FROM pg_class WHERE relname = 'secured'";
    let row = owner.row("look at the table", sql, &[]).await?;
    assert_eq!((row.get::<_, bool>(0), row.get::<_, i64>(1)), (true, 1));
    Ok(())
}

#[tokio::test]
async fn a_target_that_the_source_can_follow_keeps_its_wal_up_to_the_limit_or_is_refused() -> Result<()> {
    let mut world = World::start_to(16, "18").await?;
    world.run.fail_back = Some(FailBack { keep_hours: 72 });
    world.run.limits.max_retained_wal_gb = 2;
    world.prepare_source().await?;
    let (way, target) = (way(&world).await?, world.make_copy().await?);
    let both = || OnBoth { run: world.run.clone(), source: world.source.clone(), target: target.clone() };
    let upgrade = || UpgradeTargetInput { run: world.run.clone(), way: way.clone() };

    done_and_again!(world, "upgrade-target", upgrade_target::run, upgrade());
    let prepared = prepare_target::run(world.as_step("prepare-target"), both()).await;

    let owner = world.ctx.as_owner(&world.run, &target).await?;
    let shown = "SELECT name || ' ' || setting FROM pg_settings WHERE name IN
                     ('wal_level', 'max_slot_wal_keep_size', 'idle_replication_slot_timeout') ORDER BY name";
    let rows = owner.rows("read settings", shown, &[]).await?;
    let settings: Vec<&str> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(settings, ["idle_replication_slot_timeout 0", "max_slot_wal_keep_size 1907", "wal_level logical"]);
    assert!(prepared.is_ok(), "{prepared:?}");

    let unlimited = world.rdsadmin(TARGET, DATABASE).await?;
    for statement in ["ALTER SYSTEM SET max_slot_wal_keep_size = -1", "SELECT pg_reload_conf()"] {
        unlimited.batch_execute(statement).await?;
    }
    let refused =
        wait_for("the setting", async || Ok(prepare_target::run(world.as_step("prepare-target"), both()).await.err()))
            .await?;
    assert_eq!(refused.code, ErrorCode::InstanceFailed);
    assert!(refused.message.contains("max_slot_wal_keep_size is -1 MB instead of 1907 MB"), "{refused}");
    Ok(())
}

/// Every answer of a change is lost once, and every call of a step that works in databases is cut off at some point
/// before the one that is let through.
#[tokio::test]
async fn answers_are_lost_and_calls_die_and_the_target_is_made_all_the_same() -> Result<()> {
    let world = World::start_to(16, "17").await?;
    world.load_rehearsal().await?;
    world.prepare_source().await?;
    let way = way(&world).await?;
    until_done("snapshot-source", async || {
        snapshot_source::run(world.as_step("snapshot-source"), world.run_only()).await
    })
    .await?;

    lose_answers(&world, &["CreateDBParameterGroup", "ModifyDBParameterGroup", "RestoreDBInstanceFromDBSnapshot"]);
    let restore = || RestoreTargetInput { run: world.run.clone(), source: world.source.clone() };
    let target = done_and_again!(world, "restore-target", restore_target::run, restore()).target;
    let both = || OnBoth { run: world.run.clone(), source: world.source.clone(), target: target.clone() };
    cut_off(async || isolate_target::run(world.as_step("isolate-target"), both()).await.map(drop)).await;
    done_and_again!(world, "isolate-target", isolate_target::run, both());
    assert_isolated(&world, &target).await?;

    lose_answers(
        &world,
        &["AddTagsToResource", "CreateDBParameterGroup", "ModifyDBInstance", "RemoveTagsFromResource"],
    );
    let upgrade = || UpgradeTargetInput { run: world.run.clone(), way: way.clone() };
    done_and_again!(world, "upgrade-target", upgrade_target::run, upgrade());
    let carried_out =
        |call: &&local_aws_core::LoggedCall| call.operation == "ModifyDBInstance" && call.outcome == Outcome::Answered;
    let changes = world.aws.calls().since(0).iter().filter(carried_out).count();
    assert_eq!(changes, 2, "the source's group, one upgrade");

    keep_stale_login(&world).await?;
    cut_off(async || prepare_target::run(world.as_step("prepare-target"), both()).await.map(drop)).await;
    done_and_again!(world, "prepare-target", prepare_target::run, both());
    cut_off(async || empty_target::run(world.as_step("empty-target"), both()).await.map(drop)).await;
    let emptied =
        until_done("empty-target", async || empty_target::run(world.as_step("empty-target"), both()).await).await?;
    assert_selected(&emptied);
    cut_off(async || rebuild_target::run(world.as_step("rebuild-target"), both()).await.map(drop)).await;
    done_and_again!(world, "rebuild-target", rebuild_target::run, both());
    lose_answers(&world, &["ModifyDBInstance"]);
    let protect = || ProtectTargetInput { run: world.run.clone(), part: ProtectPart::Finish };
    done_and_again!(world, "protect-target", protect_target::run, protect());
    cut_off(async || analyze_target::run(world.as_step("analyze-target"), both()).await.map(drop)).await;
    done_and_again!(world, "analyze-target", analyze_target::run, both());
    cut_off(async || {
        complete_target::run(world.as_step("complete-target"), under_fence(&world, &target)).await.map(drop)
    })
    .await;
    complete_target::run(world.as_step("complete-target"), under_fence(&world, &target)).await?;
    let missed: Vec<_> = world.aws.faults().struck().into_iter().filter(|(_, struck)| *struck == 0).collect();
    assert!(missed.is_empty(), "every planned fault has struck: {missed:?}");
    let settle = async || settle_target::run(world.as_step("settle-target"), settled(&world, &target)).await;
    cut_off(async || settle().await.map(drop)).await;
    done_and_again!(world, "settle-target", settle_target::run, settled(&world, &target));

    let owner = world.ctx.as_owner(&world.run, &target).await?;
    assert_eq!(count(&owner, "SELECT count(*) FROM pgleap.chore WHERE done_at IS NULL AND phase <> 'calm'").await?, 0);
    let indexes = "SELECT count(*) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE c.relnamespace IN ('shop'::regnamespace, '\"Sales Dept\"'::regnamespace)";
    let source = world.owner().await?;
    assert_eq!(count(&owner, indexes).await?, count(&source, indexes).await?);
    Ok(())
}

/// As a Lambda that is killed: its connections close, the server goes on with what it was sent.
async fn cut_off<F: Future<Output = StepResult<()>>>(step: impl Fn() -> F) {
    for milliseconds in [20, 60, 120, 250] {
        let _killed_or_done = tokio::time::timeout(Duration::from_millis(milliseconds), step()).await;
    }
}

fn lose_answers(world: &World, operations: &[&str]) {
    for operation in operations {
        world.aws.faults().plan(Fault::nth("rds", operation, 1, Effect::LoseAnswer));
    }
}

#[tokio::test]
async fn a_refused_upgrade_is_told_with_the_log_and_not_asked_for_again() -> Result<()> {
    let world = World::start_to(16, "17").await?;
    world.owner().await?.run("use a type that has no way", "CREATE TABLE public.t (code regproc)").await?;
    let (refused, upgrade) = refused_upgrade(&world).await?;

    assert_eq!(refused.code, ErrorCode::UpgradeRefused, "{refused}");
    assert!(refused.message.contains("reg*"), "{refused}");
    let again = upgrade_target::run(world.as_step("upgrade-target"), upgrade()).await.err().context("not refused")?;
    assert_eq!(again.code, ErrorCode::UpgradeRefused);
    let asked = world.aws.calls().since(0).iter().filter(|call| call.operation == "ModifyDBInstance").count();
    assert_eq!(asked, 2, "the source's parameter group, and one request for the upgrade");
    Ok(())
}

/// Up to the refusal, and what asks for the upgrade.
async fn refused_upgrade(world: &World) -> Result<(StepError, impl Fn() -> UpgradeTargetInput)> {
    world.prepare_source().await?;
    let way = way(world).await?;
    until_done("snapshot-source", async || {
        snapshot_source::run(world.as_step("snapshot-source"), world.run_only()).await
    })
    .await?;
    let restore = || RestoreTargetInput { run: world.run.clone(), source: world.source.clone() };
    done_and_again!(world, "restore-target", restore_target::run, restore());
    let run = world.run.clone();
    let upgrade = move || UpgradeTargetInput { run: run.clone(), way: way.clone() };
    let refused = wait_for("the refusal", async || {
        Ok(upgrade_target::run(world.as_step("upgrade-target"), upgrade()).await.err())
    })
    .await?;
    Ok((refused, upgrade))
}

/// pg_upgrade echoes the statements that make the roles.
#[tokio::test]
async fn a_refused_upgrade_tells_no_verifier_of_a_password() -> Result<()> {
    let world = World::start_to(13, "15").await?;
    let admin = world.rdsadmin(SOURCE, &world.source.database).await?;
    admin
        .batch_execute(
            "CREATE ROLE modern LOGIN PASSWORD 'of the modern one'; ALTER ROLE modern SET operator_precedence_warning = on;
             SET password_encryption = 'md5'; CREATE ROLE reporting LOGIN PASSWORD 'of the reporting one'",
        )
        .await?;
    let kept =
        "SELECT string_agg(rolpassword, ' ' ORDER BY rolname) FROM pg_authid WHERE rolname IN ('modern', 'reporting')";
    let verifiers: String = admin.query_one(kept, &[]).await?.get(0);

    let (refused, _) = refused_upgrade(&world).await?;

    assert_eq!(refused.code, ErrorCode::UpgradeRefused, "{refused}");
    assert!(refused.message.contains("operator_precedence_warning"), "{refused}");
    assert!(refused.message.contains("PASSWORD (a password)"), "the statements are there: {refused}");
    for part in verifiers.split([' ', ':', '$']).filter(|part| part.len() > 10 && !part.starts_with("SCRAM")) {
        assert!(!refused.message.contains(part), "{part} of {verifiers} stands in {refused}");
    }
    Ok(())
}

/// A parameter group of the user's own, with values that travel and one that has no successor.
async fn give_users_group(world: &World) -> Result<()> {
    let rds = world.rds();
    rds.create_db_parameter_group()
        .db_parameter_group_name("users")
        .db_parameter_group_family("postgres13")
        .description("the user's")
        .send()
        .await?;
    let values = [("work_mem", "8192"), ("vacuum_cleanup_index_scale_factor", "0.2"), ("wal_sender_timeout", "45000")];
    let parameters = values.map(|(name, value)| {
        Parameter::builder()
            .parameter_name(name)
            .parameter_value(value)
            .apply_method(ApplyMethod::PendingReboot)
            .build()
    });
    rds.modify_db_parameter_group()
        .db_parameter_group_name("users")
        .set_parameters(Some(parameters.to_vec()))
        .send()
        .await?;
    rds.modify_db_instance()
        .db_instance_identifier(SOURCE)
        .db_parameter_group_name("users")
        .apply_immediately(true)
        .send()
        .await?;
    wait_for("the user's group", async || {
        let answer = rds.describe_db_instances().db_instance_identifier(SOURCE).send().await?;
        let instance = answer.db_instances().first().context("no source")?;
        let group = instance.db_parameter_groups().first().and_then(|group| group.db_parameter_group_name());
        Ok((group == Some("users") && instance.db_instance_status() == Some("available")).then_some(()))
    })
    .await
}

/// DMS's login for an earlier copy, which listened elsewhere: prepare-target brings it up to date.
async fn keep_stale_login(world: &World) -> Result<()> {
    let tag = aws_sdk_secretsmanager::types::Tag::builder().key("pgleap:run").value(world.run.id.as_str()).build();
    let stale = r#"{"username": "u", "password": "of-an-earlier-copy", "host": "elsewhere", "port": 5432}"#;
    let secrets = aws_sdk_secretsmanager::Client::new(world.ctx.aws());
    secrets.create_secret().name(world.run.names().copy_target_secret()).secret_string(stale).tags(tag).send().await?;
    Ok(())
}

async fn way(world: &World) -> Result<UpgradeWay> {
    let output: CheckInstanceOutput = check_instance::run(world.as_step("check-instance"), world.run_only()).await?;
    output.way.with_context(|| format!("no way: {}", output.findings.text))
}

fn settled(world: &World, target: &Server) -> SettleTargetInput {
    let (run, source, target) = (world.run.clone(), world.source.clone(), target.clone());
    SettleTargetInput { run, source, target, unset: Vec::new() }
}

async fn assert_isolated(world: &World, target: &Server) -> Result<()> {
    let admin = world.rdsadmin(TARGET, &target.database).await?;
    let row = admin
        .query_one(
            "SELECT (SELECT count(*) FROM pg_replication_slots), has_database_privilege('shop_app', current_database(), 'CONNECT'),
                    current_setting('max_logical_replication_workers')",
            &[],
        )
        .await?;
    assert_eq!((row.get::<_, i64>(0), row.get::<_, bool>(1), row.get::<_, &str>(2)), (0, false, "0"));
    Ok(())
}

async fn assert_upgraded(world: &World, target: &Server) -> Result<()> {
    let owner = world.ctx.as_owner(&world.run, target).await?;
    assert_eq!(owner.major().await?, 18);
    let sql = "SELECT current_setting('work_mem'), current_setting('wal_sender_timeout'), current_setting('max_logical_replication_workers')";
    let row = owner.row("read settings", sql, &[]).await?;
    assert_eq!((row.get::<_, &str>(0), row.get::<_, &str>(1), row.get::<_, &str>(2)), ("8MB", "45s", "4"));
    let answer = world.rds().describe_db_instances().db_instance_identifier(TARGET).send().await?;
    let instance = answer.db_instances().first().context("no target")?;
    assert_eq!(instance.backup_retention_period(), Some(0), "no backups before the load");
    assert!(instance.tag_list().iter().all(|tag| tag.key() != Some("pgleap:upgrade")));
    let group = instance.db_parameter_groups().first().context("no group")?;
    assert_eq!(
        (group.db_parameter_group_name(), group.parameter_apply_status()),
        (Some("pgleap-orders-run-target-postgres18"), Some("in-sync"))
    );
    Ok(())
}

fn assert_selected(emptied: &EmptyTargetOutput) {
    let selection = &emptied.selection;
    assert_eq!(selection.schemas, ["Sales Dept", "public", "shop"]);
    let excluded: Vec<_> = selection.excluded_tables.iter().map(|table| table.table.as_str()).collect();
    assert_eq!(excluded, ["measurements", "measurements_2025", "shipments"]);
    let removed: Vec<_> =
        selection.removed_columns.iter().map(|column| format!("{}.{}", column.table, column.column)).collect();
    assert!(removed.contains(&"customers.full_name".to_owned()), "{removed:?}");
}

fn under_fence(world: &World, target: &Server) -> UnderFence {
    let cutover = cutover_in(60);
    UnderFence { run: world.run.clone(), source: world.source.clone(), target: target.clone(), cutover }
}

async fn complete(world: &World, target: &Server) -> Result<()> {
    let input = || under_fence(world, target);

    let first = complete_target::run(world.as_step("complete-target"), input()).await?;
    let second = complete_target::run(world.as_step("complete-target"), input()).await?;

    assert!(first.objects > 20 && first.sequences > 10, "{first:?}");
    assert_eq!((second.objects, second.sequences), (0, first.sequences));
    assert!(first.milliseconds < 5_000, "clients wait meanwhile: {first:?}");
    Ok(())
}

async fn count(session: &Session, sql: &str) -> Result<i64> {
    Ok(session.row("count", sql, &[]).await?.get(0))
}
