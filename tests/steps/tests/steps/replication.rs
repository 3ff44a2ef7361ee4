//! `prepare-replication`, `create-task`, `copy-data`, `watch-copy`, `resume-replication`, `remove-replication` against the local DMS,
//! which really moves rows between real servers: one story, because each begins where the one before ended.

use anyhow::{Context, Result};
use pgleap_contract::ErrorCode;
use pgleap_contract::steps::IngressRule;
use step_tests::{World, wait_for};

use crate::both::Both;

#[tokio::test]
async fn a_copy_is_made_followed_and_removed_and_each_step_twice_changes_nothing_more() -> Result<()> {
    let both = Both::start().await?;
    both.create_until_done().await?;
    let made = both.world.changes();
    assert!(both.create().await?.done().is_some());
    assert_eq!(both.world.changes(), made, "a second time changes nothing");

    let copied = both.copy_until_done().await?;
    assert_eq!((copied.progress.percent, copied.progress.tables_errored), (100, 0), "{copied:?}");
    assert_eq!(both.copy_until_done().await?.progress, copied.progress);
    both.assert_same().await?;

    both.resume_until_done().await?;
    both.resume_until_done().await?;
    let change = r#"UPDATE "My_shop"."Orders" SET said = 'late' || id, document = NULL WHERE id < 50;
                    DELETE FROM "My_shop"."Orders" WHERE id = 99; INSERT INTO "My_shop".events VALUES (-1, 'eu');"#;
    both.source().await?.run("go on writing", change).await?;
    both.wait_until_same().await?;

    both.remove_until_done().await?;
    let removed = both.world.changes();
    both.remove_until_done().await?;
    assert_eq!(both.world.changes(), removed, "a second remove-replication changes nothing");
    // The run's own slot, of the watch, goes with the databases' clean-up.
    let of_dms = "SELECT count(*) FROM pg_replication_slots WHERE slot_name NOT LIKE 'pgleap%'";
    let slots = both.source().await?.row("count slots", of_dms, &[]).await?;
    assert_eq!(slots.get::<_, i64>(0), 0);
    both.world.aws.stop().await;
    Ok(())
}

/// DMS takes minutes to see the tags of a new resource, so permissions on it must not need them.
#[tokio::test]
async fn a_copy_is_made_followed_and_removed_before_policies_see_any_tag() -> Result<()> {
    let both = Both::start().await?;
    both.world.aws.delay_tags(std::time::Duration::from_secs(3600));

    both.create_until_done().await?;
    both.copy_until_done().await?;
    both.resume_until_done().await?;

    both.remove_until_done().await?;
    both.world.aws.stop().await;
    Ok(())
}

#[tokio::test]
async fn tags_of_the_operators_own_are_on_everything_but_tasks() -> Result<()> {
    let mut both = Both::start().await?;
    both.world.run.tags.insert("cost-centre".to_owned(), "databases".to_owned());
    both.create_until_done().await?;

    let dms = both.dms();
    let instances = dms.describe_replication_instances().send().await?.replication_instances.unwrap_or_default();
    let endpoints = dms.describe_endpoints().send().await?.endpoints.unwrap_or_default();
    let arns = instances.iter().filter_map(|instance| instance.replication_instance_arn.clone());
    let arns: Vec<String> = arns.chain(endpoints.iter().filter_map(|endpoint| endpoint.endpoint_arn.clone())).collect();
    assert_eq!(arns.len(), 3);
    for arn in arns {
        let keys = both.world.aws.dms().tag_keys(&arn).unwrap_or_default();
        assert!(["cost-centre", "pgleap:run"].iter().all(|key| keys.iter().any(|has| has == key)), "{arn}: {keys:?}");
    }
    both.end().await?;

    let mut world = World::start(15).await?;
    world.run.tags.insert("cost-centre".to_owned(), "databases".to_owned());
    world.prepare_source().await?;
    world.make_copy().await?;
    let names = world.run.names();
    let rds = "arn:aws:rds:eu-west-1:111122223333";
    let snapshot = format!("{rds}:snapshot:{}", names.snapshot());
    let groups = [names.source_parameter_group(), names.quiet_parameter_group()].map(|name| format!("{rds}:pg:{name}"));
    let target = format!("{rds}:db:{}", step_tests::TARGET);
    for arn in [&snapshot, &groups[0], &groups[1], &target] {
        let keys = world.aws.rds().tag_keys(arn).unwrap_or_default();
        assert!(keys.iter().any(|key| key == "cost-centre"), "{arn}: {keys:?}");
    }
    let secrets = aws_sdk_secretsmanager::Client::new(world.ctx.aws());
    for name in [names.work_secret(), names.owner_secret(), names.copy_source_secret()] {
        let tags = secrets.describe_secret().secret_id(&name).send().await?.tags.unwrap_or_default();
        assert!(tags.iter().any(|tag| tag.key() == Some("cost-centre")), "{name}: {tags:?}");
    }
    world.aws.stop().await;
    Ok(())
}

/// In Berlin it is half past two twice in a night of October, and DMS carries no zone.
#[tokio::test]
async fn the_hour_that_comes_twice_arrives_as_it_left_whatever_zone_the_database_has() -> Result<()> {
    let both = Both::start().await?;
    let dms = both.world.run.names().copy_login();
    let table = format!(
        r#"CREATE TABLE "My_shop".moments (id int PRIMARY KEY, at timestamptz); GRANT ALL ON "My_shop".moments TO {dms}"#
    );
    for side in [step_tests::SOURCE, step_tests::TARGET] {
        let zone =
            "ALTER DATABASE orders SET timezone = 'Europe/Berlin'; ALTER DATABASE orders SET datestyle = 'SQL, DMY'";
        both.world.rdsadmin(side, "postgres").await?.batch_execute(zone).await?;
    }
    for session in [both.source().await?, both.target().await?] {
        session.run("make a table", &table).await?;
    }
    let moments = |from: i32| {
        format!(
            r#"INSERT INTO "My_shop".moments SELECT {from} + n, timestamptz '2020-10-24 23:30:00Z' + n * interval '1 hour' FROM generate_series(0, 3) n"#
        )
    };
    both.source().await?.run("write before the load", &moments(0)).await?;
    both.create_until_done().await?;
    both.copy_until_done().await?;
    both.resume_until_done().await?;
    both.source().await?.run("write after it", &moments(10)).await?;

    let sums = r#"SELECT count(*), sum(extract(epoch FROM at))::bigint FROM "My_shop".moments"#;
    wait_for("the last moments", async || {
        let target = both.target().await?.row("read moments", sums, &[]).await?;
        Ok((target.get::<_, i64>(0) == 8).then_some(()))
    })
    .await?;
    let source = both.source().await?.row("read moments", sums, &[]).await?.get::<_, i64>(1);
    assert_eq!(both.target().await?.row("read moments", sums, &[]).await?.get::<_, i64>(1), source);
    both.end().await
}

#[tokio::test]
async fn lost_answers_and_forgotten_tests_cost_a_look_and_nothing_else() -> Result<()> {
    let both = Both::start().await?;
    for operation in [
        "CreateReplicationSubnetGroup",
        "CreateReplicationInstance",
        "CreateEndpoint",
        "TestConnection",
        "CreateReplicationTask",
        "StartReplicationTask",
        "StopReplicationTask",
        "DeleteReplicationTask",
        "DeleteEndpoint",
        "DeleteReplicationInstance",
        "DeleteReplicationSubnetGroup",
    ] {
        both.world.aws.faults().plan(format!("dms:{operation}:1:lose-answer").parse()?);
    }
    both.world.aws.dms().plan_fault("forget-connection-test 1 times".parse()?);

    both.create_until_done().await?;
    both.copy_until_done().await?;
    both.resume_until_done().await?;
    both.assert_same().await?;
    both.end().await
}

#[tokio::test]
async fn a_time_out_is_explained_and_where_the_run_may_it_asks_for_the_one_rule_once() -> Result<()> {
    let mut both = Both::start().await?;
    let ground = both.world.aws.ground().clone();
    ground.close();
    let refused = wait_for("a refusal", async || match both.create().await {
        Ok(_waiting) => Ok(None),
        Err(error) if error.code == ErrorCode::ServiceUnavailable => Ok(None),
        Err(error) => Ok(Some(error)),
    })
    .await?;
    assert_eq!(refused.code, ErrorCode::NetworkBlocked);
    let port = both.world.source.port;
    let says = format!("security group sg-a lacks an inbound rule for it: TCP {port} from 127.200.0.1/32");
    assert!(refused.message.contains(&says), "{refused}");

    both.world.run.network.authorize_ingress = true;
    let rule = wait_for("a rule to be asked for", async || {
        Ok(both.prepare(both.prepare_input()).await?.done().and_then(|output| output.missing_rule))
    })
    .await?;
    let expected = IngressRule { group_id: "sg-a".to_owned(), cidr: "127.200.0.1/32".to_owned(), port };
    assert_eq!(rule, expected);

    ground.add(local_aws_core::Rule {
        id: String::new(),
        group: rule.group_id,
        ports: (rule.port, rule.port),
        cidr: rule.cidr,
        description: None,
        tags: serde_json::Value::Null,
    });
    assert_eq!(both.create_until_done().await?, 0);
    both.world.aws.stop().await;
    Ok(())
}

/// Somebody deletes the replication instance while the copy is upgraded.
#[tokio::test]
async fn an_instance_that_went_since_the_snapshot_is_told_with_its_events() -> Result<()> {
    let both = Both::start().await?;
    wait_for("the source to be reached", async || Ok(both.prepare(both.prepare_input()).await?.done())).await?;
    let found = both.dms().describe_replication_instances().send().await?.replication_instances()[0].clone();
    let arn = found.replication_instance_arn().context("it has an ARN")?;
    both.dms().delete_replication_instance().replication_instance_arn(arn).send().await?;

    let error = both.create_task().await.err().context("it goes on")?;

    assert_eq!(error.code, ErrorCode::InstanceFailed, "{}", error.message);
    assert!(error.message.contains("deleting"), "{}", error.message);
    both.world.aws.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_refused_connection_is_named_and_tried_again() -> Result<()> {
    let both = Both::start().await?;
    let endpoint = both.world.run.names().target_endpoint();
    both.world.aws.dms().plan_fault(format!("refuse-connection to {endpoint} 2 times").parse()?);

    assert_eq!(both.create_until_done().await?, 2);

    both.end().await
}

/// PostgreSQL makes no slot before every transaction that has begun to write is over.
#[tokio::test]
async fn a_transaction_that_holds_up_the_start_of_the_load_is_named() -> Result<()> {
    let both = Both::start().await?;
    both.create_until_done().await?;
    let writer = both.world.rdsadmin(step_tests::SOURCE, "postgres").await?;
    writer.batch_execute("SET application_name = 'nightly import'; BEGIN; SELECT txid_current()").await?;
    tokio::time::sleep(std::time::Duration::from_secs(6)).await;

    let held_up = both.watch(None).await?.reading.held_up;

    assert_eq!(held_up.len(), 1, "{held_up:?}");
    assert!(held_up[0].contains("nightly import, database postgres"), "{held_up:?}");
    writer.batch_execute("COMMIT").await?;
    both.copy_until_done().await?;
    assert_eq!(both.watch(None).await?.reading.held_up, [""; 0]);
    both.end().await
}

/// Other databases of the server write, and this one is idle: DMS has nothing to confirm.
#[tokio::test]
async fn a_look_lets_the_slot_of_an_idle_database_move_on() -> Result<()> {
    let both = Both::start().await?;
    both.create_until_done().await?;
    both.copy_until_done().await?;
    both.resume_until_done().await?;
    let admin = both.world.rdsadmin(step_tests::SOURCE, step_tests::DATABASE).await?;
    for _segment in 0..5 {
        admin.batch_execute("SELECT pg_logical_emit_message(false, 'x', 'x'), pg_switch_wal()").await?;
    }
    let lag = "SELECT max(pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn))::bigint FROM pg_replication_slots
               WHERE slot_name !~ '^pgleap_'";
    let lag = async || Ok::<i64, anyhow::Error>(admin.query_one(lag, &[]).await?.get(0));
    assert!(lag().await? > 16 << 20, "{} bytes", lag().await?);

    both.watch(None).await?;

    wait_for("the slot to move on", async || Ok((lag().await? < 1 << 20).then_some(()))).await?;
    both.end().await
}

#[tokio::test]
async fn wal_behind_the_slot_above_the_limit_ends_the_run() -> Result<()> {
    let mut both = Both::start().await?;
    both.world.run.limits.max_retained_wal_gb = 1;
    both.create_until_done().await?;
    both.copy_until_done().await?;
    let reading = both.watch(None).await?.reading;
    assert_eq!((reading.tables_done, reading.seconds_left), (3, None));
    assert!(reading.bytes_done > 0 && reading.bytes_done <= reading.bytes, "{reading:?}");
    assert_eq!((reading.wal_marks.len(), reading.lag_seconds), (1, 0), "{reading:?}");

    let admin = both.world.rdsadmin(step_tests::SOURCE, step_tests::DATABASE).await?;
    let write_segments = async |segments: usize| -> Result<()> {
        for _segment in 0..segments {
            admin.batch_execute("SELECT pg_logical_emit_message(false, 'x', 'x'), pg_switch_wal()").await?;
        }
        Ok(())
    };
    write_segments(40).await?;
    let second = both.watch(Some(reading)).await?.reading;
    assert!(second.lag_bytes > 600_000_000 && second.wal_marks.len() == 2, "{second:?}");
    both.world.source.storage_gib = Some(1);
    let error = both.watch(Some(second.clone())).await.expect_err("too much for the disk");
    assert_eq!(error.code, ErrorCode::TooMuchWal);
    assert!(error.message.contains("that its databases leave free in its storage (1 GiB)"), "{}", error.message);

    both.world.source.storage_gib = Some(1_000);
    write_segments(30).await?;
    let error = both.watch(Some(second)).await.expect_err("too much");

    assert_eq!(error.code, ErrorCode::TooMuchWal);
    assert!(error.message.contains("limits.maxRetainedWalGb (1)"), "{}", error.message);
    both.end().await
}
