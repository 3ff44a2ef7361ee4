//! `configure-source`, `reboot-source`, `snapshot-source`, `find-servers` against the local AWS, with the user's own
//! parameter group and with answers that are lost.

use std::path::Path;

use anyhow::{Context, Result, bail};
use aws_sdk_rds::types::{ApplyMethod, DbInstance, Parameter};
use local_aws_core::{Effect, Fault, Outcome};
use pgleap_contract::steps::FindServersInput;
use pgleap_contract::{ErrorCode, Generation, Run};
use step_tests::{DATABASE, SOURCE, World, once_allowed, until_done, wait_for};
use tokio_postgres::config::Host;

async fn instance(world: &World) -> Result<DbInstance> {
    let answer = world.rds().describe_db_instances().db_instance_identifier(SOURCE).send().await?;
    answer.db_instances.unwrap_or_default().into_iter().next().context("the source is gone")
}

async fn attached_group(world: &World) -> Result<(String, String)> {
    let instance = instance(world).await?;
    let group = instance.db_parameter_groups().first().context("no group")?;
    let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
    Ok((text(group.db_parameter_group_name()), text(group.parameter_apply_status())))
}

/// A group of the user's with these values, attached and in force.
async fn attach_users_group(world: &World, values: &[(&str, &str)]) -> Result<()> {
    let rds = world.rds();
    let create =
        rds.create_db_parameter_group().db_parameter_group_name("theirs").db_parameter_group_family("postgres15");
    create.description("the user's own").send().await?;
    let parameter = |(name, value): &(&str, &str)| {
        Parameter::builder()
            .parameter_name(*name)
            .parameter_value(*value)
            .apply_method(ApplyMethod::PendingReboot)
            .build()
    };
    let values = values.iter().map(parameter).collect();
    rds.modify_db_parameter_group().db_parameter_group_name("theirs").set_parameters(Some(values)).send().await?;
    rds.modify_db_instance().db_instance_identifier(SOURCE).db_parameter_group_name("theirs").send().await?;
    wait_for("the user's group", async || Ok((attached_group(world).await?.1 == "pending-reboot").then_some(())))
        .await?;
    let reboot = rds.reboot_db_instance().db_instance_identifier(SOURCE);
    once_allowed("the user's reboot", async || reboot.clone().send().await).await?;
    wait_for("the user's reboot", async || {
        let status = instance(world).await?.db_instance_status;
        Ok((attached_group(world).await?.1 == "in-sync" && status.as_deref() == Some("available")).then_some(()))
    })
    .await
}

fn carried_out(world: &World, operation: &str) -> usize {
    let calls = world.aws.calls().since(0);
    calls.iter().filter(|call| call.operation == operation && call.outcome == Outcome::Answered).count()
}

#[tokio::test]
async fn the_users_values_go_along_into_the_runs_group_and_theirs_is_not_touched() -> Result<()> {
    let world = World::start(15).await?;
    attach_users_group(&world, &[("log_min_duration_statement", "250"), ("rds.logical_replication", "0")]).await?;
    let changes_of_groups = carried_out(&world, "ModifyDBParameterGroup");

    world.configure_source().await?;

    let own = world.run.names().source_parameter_group();
    assert_eq!(attached_group(&world).await?, (own, "in-sync".to_owned()));
    let settings = "SELECT current_setting('wal_level'), current_setting('wal_sender_timeout'), current_setting('log_min_duration_statement')";
    let row = world.owner().await?.row("read settings", settings, &[]).await?;
    assert_eq!((row.get(0), row.get(1), row.get(2)), ("logical", "0", "250ms"));
    let theirs = world.rds().describe_db_parameters().db_parameter_group_name("theirs").source("user").send().await?;
    let theirs =
        theirs.parameters().iter().find(|parameter| parameter.parameter_name() == Some("rds.logical_replication"));
    assert_eq!(theirs.and_then(|parameter| parameter.parameter_value()), Some("0"));
    assert_eq!(carried_out(&world, "ModifyDBParameterGroup"), changes_of_groups + 1);
    Ok(())
}

#[tokio::test]
async fn a_group_that_already_serves_is_left_alone_and_nothing_is_rebooted() -> Result<()> {
    let world = World::start(15).await?;
    attach_users_group(&world, &[("rds.logical_replication", "1"), ("wal_sender_timeout", "0")]).await?;
    let changes = world.changes();

    world.configure_source().await?;

    assert_eq!(world.changes(), changes);
    assert_eq!(attached_group(&world).await?.0, "theirs");
    Ok(())
}

/// What a session of the copy's login has of a setting, as a logical walsender.
async fn as_walsender(world: &World, sql: &str) -> Result<String> {
    let names = world.run.names();
    let login = world.ctx.login(&names.copy_source_secret()).await?;
    let address = world.aws.rds().admin_config(SOURCE).context("no source")?;
    let Some(Host::Tcp(host)) = address.get_hosts().first() else { bail!("no address") };
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.local/pg/15");
    let conninfo = format!(
        "host={host} port={} user={} password={} dbname={DATABASE} replication=database sslmode=require",
        address.get_ports()[0],
        login.username,
        login.password
    );
    let mut psql = tokio::process::Command::new(home.join("bin/psql"));
    psql.env("LD_LIBRARY_PATH", home.join("lib")).arg("-XAtc").arg(sql).arg(conninfo);
    let output = psql.output().await.context("run psql")?;
    anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[tokio::test]
async fn a_source_that_decodes_already_keeps_its_group_and_is_not_rebooted() -> Result<()> {
    let world = World::start(15).await?;
    attach_users_group(&world, &[("rds.logical_replication", "1")]).await?;
    let counted = ["RebootDBInstance", "CreateDBParameterGroup", "CopyDBParameterGroup", "ModifyDBInstance"];
    let before = counted.map(|operation| carried_out(&world, operation));

    world.prepare_source().await?;

    assert_eq!(counted.map(|operation| carried_out(&world, operation)), before);
    assert_eq!(attached_group(&world).await?, ("theirs".to_owned(), "in-sync".to_owned()));
    let server = world.owner().await?.row("read", "SELECT current_setting('wal_sender_timeout')", &[]).await?;
    assert_eq!(server.get::<_, &str>(0), "30s");
    assert_eq!(as_walsender(&world, "SHOW wal_sender_timeout").await?, "0");
    Ok(())
}

#[tokio::test]
async fn a_pending_modification_is_not_dragged_along() -> Result<()> {
    let world = World::start(15).await?;
    let modify = world.rds().modify_db_instance().db_instance_identifier(SOURCE).db_instance_class("db.t3.large");
    modify.apply_immediately(false).send().await?;

    let refused = wait_for("the refusal", async || {
        Ok(configure_source::run(world.as_step("configure-source"), world.run_only()).await.err())
    })
    .await?;

    assert_eq!(refused.code, ErrorCode::PreflightBlocked, "{refused}");
    assert_eq!(instance(&world).await?.db_instance_class(), Some("db.t3.medium"));
    assert_eq!(attached_group(&world).await?.0, "default.postgres15");
    Ok(())
}

#[tokio::test]
async fn a_lost_answer_neither_repeats_a_reboot_nor_a_snapshot() -> Result<()> {
    let world = World::start(15).await?;
    for operation in
        ["CreateDBParameterGroup", "ModifyDBParameterGroup", "ModifyDBInstance", "RebootDBInstance", "CreateDBSnapshot"]
    {
        world.aws.faults().plan(Fault::nth("rds", operation, 1, Effect::LoseAnswer));
    }

    world.configure_source().await?;
    until_done("snapshot-source", async || {
        snapshot_source::run(world.as_step("snapshot-source"), world.run_only()).await
    })
    .await?;
    until_done("snapshot-source", async || {
        snapshot_source::run(world.as_step("snapshot-source"), world.run_only()).await
    })
    .await?;

    for operation in ["CreateDBParameterGroup", "RebootDBInstance", "CreateDBSnapshot"] {
        assert_eq!(carried_out(&world, operation), 1, "{operation}");
    }
    Ok(())
}

#[tokio::test]
async fn the_source_is_found_and_a_target_only_if_the_run_made_it() -> Result<()> {
    let world = World::start(15).await?;

    let find = async |run: &Run| {
        let input = FindServersInput { run: run.clone(), generation: Generation::FORWARD };
        find_servers::run(world.as_step("find-servers"), input).await
    };
    let found = find(&world.run).await?;

    assert_eq!((found.source, found.target), (Some(world.source.clone()), None));
    let strangers = world.rds().create_db_instance().db_instance_identifier(step_tests::TARGET).engine("postgres");
    let strangers = strangers.db_instance_class("db.t3.medium").allocated_storage(20);
    strangers.master_username("somebody").master_user_password("a-password").send().await?;
    wait_for("the stranger's instance", async || {
        let answer = world.rds().describe_db_instances().db_instance_identifier(step_tests::TARGET).send().await?;
        Ok(answer.db_instances().first().and_then(|instance| instance.endpoint()).map(|_| ()))
    })
    .await?;
    assert_eq!(find(&world.run).await?.target, None);

    let mut gone = world.run.clone();
    gone.source.instance = "no-such".to_owned();
    assert_eq!(find(&gone).await?.source, None, "no cutover was armed: nothing of it was touched");
    world.arm().await?;
    let error = find(&gone).await.err().context("found nothing")?;
    assert_eq!(error.code, ErrorCode::InstanceFailed, "an armed cutover has a source to unfence");
    Ok(())
}
