//! `create-replication`, `copy-data`, `resume-replication`, `remove-replication` against the local DMS, which really
//! moves rows between real servers: one story, because each begins where the one before ended.

use crate::support;

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use pgleap_contract::steps::{
    ColumnName, CompareTablesInput, CopyDataInput, CopyDataOutput, CopyReading, CreateReplicationInput,
    CreateReplicationOutput, DatabaseSize, IngressRule, LobLimit, MeasureLobsInput, MeasureLobsOutput,
    ReloadTablesInput, ReloadTablesOutput, Repair, RepairKind, Selection, TableName, UpgradeWay, WatchCopyInput,
    WatchCopyOutput,
};
use pgleap_contract::{ErrorCode, Server};
use pgleap_pg::{Session, fingerprint};
use pgleap_step_kit::{StepError, StepResult};
use step_tests::{World, until_done, wait_for};

const SCHEMA: &str = r#"
    CREATE SCHEMA "My_shop";
    CREATE TABLE "My_shop"."Orders" (
        id bigint PRIMARY KEY, said text, raw bytea, document jsonb, yes boolean, exact numeric, wide varchar,
        twice bigint GENERATED ALWAYS AS (id * 2) STORED);
    CREATE TABLE "My_shop".events (id int, region varchar(10), PRIMARY KEY (id, region)) PARTITION BY LIST (region);
    CREATE TABLE "My_shop".events_eu PARTITION OF "My_shop".events FOR VALUES IN ('eu');"#;
const ROWS: &str = r#"
    INSERT INTO "My_shop"."Orders"
    SELECT g, repeat('é', g % 3000), decode(repeat('ff', g % 70000), 'hex'), jsonb_build_object('g', g), g % 2 = 0,
           round(1 / (g::numeric + 2), g % 20), repeat('w', CASE WHEN g = 7 THEN 20000 ELSE 5 END)
    FROM generate_series(1, 300) g;
    INSERT INTO "My_shop".events SELECT g, 'eu' FROM generate_series(1, 1000) g;"#;

struct Both {
    world: World,
    target: Server,
}

impl Both {
    async fn start() -> Result<Self> {
        let world = World::start(15).await?;
        let owner = world.owner().await?;
        owner.run("make the schema", SCHEMA).await?;
        owner.run("fill it", ROWS).await?;
        world.prepare_source().await?;
        let dms = world.run.id.names().dms_login();
        let rights = format!(
            "GRANT USAGE ON SCHEMA \"My_shop\" TO {dms}; GRANT ALL ON ALL TABLES IN SCHEMA \"My_shop\" TO {dms}"
        );
        let owner = world.owner().await?;
        owner.run("let DMS read", &rights).await?;
        fingerprint::take_filenodes(&owner).await?; // as prepare-target does just before the load

        let target = support::create_target(&world, "17").await?;
        let there = world.ctx.as_owner(&world.run, &target).await?;
        there.run("make the schema", SCHEMA).await?;
        there.run("let DMS write", &rights).await?;
        Ok(Self { world, target })
    }

    fn input(&self) -> CreateReplicationInput {
        let schema = "My_shop".to_owned();
        let parent = TableName { schema: schema.clone(), table: "events".to_owned() };
        let generated = ColumnName { schema: schema.clone(), table: "Orders".to_owned(), column: "twice".to_owned() };
        CreateReplicationInput {
            run: self.world.run.clone(),
            source: self.world.source.clone(),
            target: self.target.clone(),
            way: UpgradeWay {
                from: "15".to_owned(),
                hops: Vec::new(),
                dms_engine_version: "3.6.1".to_owned(),
                subnet_ids: vec!["subnet-a".to_owned(), "subnet-b".to_owned()],
                security_group_ids: vec!["sg-a".to_owned()],
            },
            size: DatabaseSize { tables: 3, bytes: 1 << 20, sequences: 0 },
            selection: Selection {
                schemas: vec![schema],
                excluded_tables: vec![parent],
                removed_columns: vec![generated],
                replica_role: false,
            },
            ingress: None,
        }
    }

    async fn create(&self) -> StepResult<CreateReplicationOutput> {
        let role = "arn:aws:iam::111122223333:role/DmsSecretRole";
        create_replication::run_with(self.world.as_step("create-replication"), self.input(), role).await
    }

    /// As the machine does it: a failed connection test is worth a few retries.
    async fn create_until_done(&self) -> Result<usize> {
        let began = Instant::now();
        let mut failed_tests = 0;
        while began.elapsed() < Duration::from_secs(60) {
            match self.create().await {
                Ok(look) if look.done => return Ok(failed_tests),
                Err(error) if error.code == ErrorCode::NetworkBlocked && failed_tests < 3 => failed_tests += 1,
                Err(error) if error.code == ErrorCode::ServiceUnavailable => {}
                Ok(_waiting) => {}
                Err(error) => return Err(error.into()),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        bail!("create-replication: not done after 60 s")
    }

    async fn copy(&self) -> StepResult<CopyDataOutput> {
        let input = CopyDataInput { run: self.world.run.clone(), repairs: Vec::new() };
        copy_data::run(self.world.as_step("copy-data"), input).await
    }

    async fn copy_until_done(&self) -> Result<CopyDataOutput> {
        wait_for("copy-data", async || Ok(Some(self.copy().await?).filter(|output| output.done))).await
    }

    /// As the machine does it: what was mended goes from look to look.
    async fn copy_and_mend(&self) -> Result<Vec<Repair>> {
        let repairs = std::sync::Mutex::new(Vec::new());
        wait_for("copy-data", async || {
            let before = repairs.lock().expect("no panic").clone();
            let input = CopyDataInput { run: self.world.run.clone(), repairs: before };
            let output = copy_data::run(self.world.as_step("copy-data"), input).await;
            if output.as_ref().is_err_and(|error| error.code == ErrorCode::ServiceUnavailable) {
                return Ok(None); // the lost answer
            }
            let output = output?;
            *repairs.lock().expect("no panic") = output.repairs;
            Ok(output.done.then_some(()))
        })
        .await?;
        Ok(repairs.into_inner().expect("no panic"))
    }

    fn dms(&self) -> aws_sdk_databasemigration::Client {
        aws_sdk_databasemigration::Client::new(self.world.ctx.aws())
    }

    /// Names of the tasks that exist.
    async fn tasks(&self) -> Result<Vec<String>> {
        let tasks = self.dms().describe_replication_tasks().send().await?;
        Ok(tasks.replication_tasks().iter().filter_map(|task| task.replication_task_identifier.clone()).collect())
    }

    async fn stop_task(&self) -> Result<()> {
        let task = self.dms().describe_replication_tasks().send().await?.replication_tasks()[0].clone();
        let arn = task.replication_task_arn().unwrap_or_default();
        self.dms().stop_replication_task().replication_task_arn(arn).send().await?;
        Ok(())
    }

    async fn lose_slot(&self) -> Result<()> {
        let admin = self.world.rdsadmin(step_tests::SOURCE, step_tests::DATABASE).await?;
        let drop = "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active";
        Ok(admin.batch_execute(drop).await?)
    }

    async fn resume_until_refused(&self) -> Result<StepError> {
        wait_for("resume-replication to be refused", async || {
            match resume_replication::run(self.world.as_step("resume-replication"), self.world.run_only()).await {
                Ok(look) if look.done => bail!("it ended well"),
                Ok(_looking) => Ok(None),
                Err(error) => Ok(Some(error)),
            }
        })
        .await
    }

    async fn watch(&self, earlier: Option<CopyReading>) -> StepResult<WatchCopyOutput> {
        let (run, source, target) = (self.world.run.clone(), self.world.source.clone(), self.target.clone());
        let progress = self.copy().await?.progress;
        watch_copy::run(self.world.as_step("watch-copy"), WatchCopyInput { run, source, target, progress, earlier })
            .await
    }

    /// What DMS noted on the target.
    async fn notes(&self) -> Result<Vec<String>> {
        let secret = self.world.run.id.names().dms_target_secret();
        let dms = self.world.ctx.connect(&self.world.run, &self.target, &secret).await?;
        Ok(pgleap_pg::dms_notes::read(&dms).await?)
    }

    async fn copy_until_some_in_error(&self) -> Result<Vec<TableName>> {
        let output = wait_for("tables in error", async || {
            Ok(Some(self.copy().await?).filter(|output| output.in_error && !output.done))
        });
        Ok(output.await?.tables_in_error)
    }

    async fn copy_until_in_error(&self, expected: &[&str]) -> Result<()> {
        let tables: Vec<_> = self.copy_until_some_in_error().await?.iter().map(ToString::to_string).collect();
        assert_eq!(tables, expected);
        Ok(())
    }

    async fn measure(&self, tables: &[TableName], reloads: u32) -> StepResult<MeasureLobsOutput> {
        let (run, source) = (self.world.run.clone(), self.world.source.clone());
        measure_lobs::run(
            self.world.as_step("measure-lobs"),
            MeasureLobsInput { run, source, tables: tables.to_vec(), reloads },
        )
        .await
    }

    async fn measure_for(&self, tables: &[TableName], reloads: u32) -> Result<Vec<LobLimit>> {
        let output = wait_for("measure-lobs", async || {
            Ok(Some(self.measure(tables, reloads).await?).filter(|output| output.done))
        });
        Ok(output.await?.limits)
    }

    async fn measure_until_done(&self, reloads: u32) -> Result<Vec<LobLimit>> {
        self.measure_for(&self.copy_until_some_in_error().await?, reloads).await
    }

    async fn measure_refused(&self, tables: &[TableName], reloads: u32) -> Result<StepError> {
        wait_for("measure-lobs to refuse", async || match self.measure(tables, reloads).await {
            Ok(output) if output.done => bail!("it ended well"),
            Ok(_looking) => Ok(None),
            Err(error) => Ok(Some(error)),
        })
        .await
    }

    async fn reload_until_done(&self, limits: &[LobLimit]) -> Result<ReloadTablesOutput> {
        wait_for("reload-tables", async || {
            let (run, limits) = (self.world.run.clone(), limits.to_vec());
            let input = ReloadTablesInput { run, limits, repairs: Vec::new() };
            match reload_tables::run(self.world.as_step("reload-tables"), input).await {
                Err(error) if error.code == ErrorCode::ServiceUnavailable => Ok(None), // the lost answer
                other => Ok(Some(other?).filter(|output| output.done)),
            }
        })
        .await
    }

    async fn compare_until_done(&self, tables: &[TableName]) -> Result<()> {
        until_done("compare-tables", async || {
            let (run, source) = (self.world.run.clone(), self.world.source.clone());
            let input = CompareTablesInput { run, source, target: self.target.clone(), tables: tables.to_vec() };
            compare_tables::run(self.world.as_step("compare-tables"), input).await
        })
        .await
    }

    async fn restore_until_done(&self) -> Result<()> {
        let ctx = self.world.as_step("restore-lob-mode");
        until_done("restore-lob-mode", async || restore_lob_mode::run(ctx, self.world.run_only()).await).await
    }

    /// Mapping and settings of the task, as texts.
    async fn written(&self) -> Result<(String, String)> {
        let task = self.dms().describe_replication_tasks().send().await?.replication_tasks()[0].clone();
        Ok((task.table_mappings.unwrap_or_default(), task.replication_task_settings.unwrap_or_default()))
    }

    async fn copy_until_refused(&self) -> Result<StepError> {
        wait_for("copy-data to be refused", async || match self.copy().await {
            Ok(output) if output.done => bail!("it ended well"),
            Ok(_looking) => Ok(None),
            Err(error) => Ok(Some(error)),
        })
        .await
    }

    async fn resume_until_done(&self) -> Result<()> {
        let ctx = self.world.as_step("resume-replication");
        until_done("resume-replication", async || resume_replication::run(ctx, self.world.run_only()).await).await
    }

    async fn remove_until_done(&self) -> Result<()> {
        let ctx = self.world.as_step("remove-replication");
        until_done("remove-replication", async || remove_replication::run(ctx, self.world.run_only()).await).await
    }

    async fn source(&self) -> Result<Session> {
        self.world.owner().await
    }

    async fn target(&self) -> Result<Session> {
        Ok(self.world.ctx.as_owner(&self.world.run, &self.target).await?)
    }

    /// Rows and content of the tables, generated columns too.
    async fn content(&self, session: &Session) -> Result<(i64, String)> {
        let sql = r#"SELECT (SELECT count(*) FROM "My_shop".events) + count(*),
                            md5(string_agg(o::text, '|' ORDER BY id)) FROM "My_shop"."Orders" o"#;
        let row = session.row("read the tables", sql, &[]).await?;
        Ok((row.get(0), row.get(1)))
    }
}

#[tokio::test]
async fn a_copy_is_made_followed_and_removed_and_each_step_twice_changes_nothing_more() -> Result<()> {
    let both = Both::start().await?;
    both.create_until_done().await?;
    let made = both.world.changes();
    assert!(both.create().await?.done);
    assert_eq!(both.world.changes(), made, "a second create-replication changes nothing");

    let copied = both.copy_until_done().await?;
    assert_eq!((copied.progress.percent, copied.progress.tables_errored), (100, 0), "{copied:?}");
    assert_eq!(both.copy_until_done().await?.progress, copied.progress);
    assert_eq!(both.content(&both.target().await?).await?, both.content(&both.source().await?).await?);

    both.resume_until_done().await?;
    both.resume_until_done().await?;
    let change = r#"UPDATE "My_shop"."Orders" SET said = 'late' || id, document = NULL WHERE id < 50;
                    DELETE FROM "My_shop"."Orders" WHERE id = 99; INSERT INTO "My_shop".events VALUES (-1, 'eu');"#;
    both.source().await?.run("go on writing", change).await?;
    wait_for("the changes on the target", async || {
        let same = both.content(&both.target().await?).await? == both.content(&both.source().await?).await?;
        Ok(same.then_some(()))
    })
    .await?;

    both.remove_until_done().await?;
    let removed = both.world.changes();
    both.remove_until_done().await?;
    assert_eq!(both.world.changes(), removed, "a second remove-replication changes nothing");
    let slots = both.source().await?.row("count slots", "SELECT count(*) FROM pg_replication_slots", &[]).await?;
    assert_eq!(slots.get::<_, i64>(0), 0);
    both.world.aws.stop().await;
    Ok(())
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
    assert_eq!(both.content(&both.target().await?).await?, both.content(&both.source().await?).await?);
    both.remove_until_done().await?;

    both.world.aws.stop().await;
    Ok(())
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
    let rule = wait_for("a rule to be asked for", async || Ok(both.create().await?.missing_rule)).await?;
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

#[tokio::test]
async fn a_refused_connection_is_named_and_tried_again() -> Result<()> {
    let both = Both::start().await?;
    let endpoint = both.world.run.id.names().target_endpoint();
    both.world.aws.dms().plan_fault(format!("refuse-connection to {endpoint} 2 times").parse()?);

    assert_eq!(both.create_until_done().await?, 2);

    both.remove_until_done().await?;
    both.world.aws.stop().await;
    Ok(())
}

/// Twice the load breaks for want of memory: with a usual appetite and with a small one. Every answer is lost once.
#[tokio::test]
async fn a_load_that_ran_out_of_memory_takes_less_and_then_finds_a_larger_instance() -> Result<()> {
    let both = Both::start().await?;
    both.world.aws.dms().plan_fault("out-of-memory at 10% with 5 GiB and 8 GiB by appetite".parse()?);
    both.create_until_done().await?;
    for operation in
        ["CreateReplicationTask", "DeleteReplicationTask", "ModifyReplicationInstance", "AddTagsToResource"]
    {
        both.world.aws.faults().plan(format!("dms:{operation}:1:lose-answer").parse()?);
    }

    let repairs = both.copy_and_mend().await?;

    let told: Vec<_> =
        repairs.iter().map(|repair| (repair.kind, repair.before.as_str(), repair.after.as_str())).collect();
    let usual = "8 tables at once and 10000 rows a commit";
    let small = "2 tables at once and 1000 rows a commit";
    let expected =
        [(RepairKind::OutOfMemory, usual, small), (RepairKind::OutOfMemory, "dms.t3.medium", "dms.t3.large")];
    assert_eq!(told, expected);
    assert_eq!(repairs[0].estimated_cost, None);
    let cost = repairs[1].estimated_cost.as_ref().expect("a larger class costs more");
    assert_eq!((cost.usd_per_hour_before, cost.usd_per_hour_after), (0.072, 0.144));
    assert_eq!(both.tasks().await?, [both.world.run.id.names().tasks()[2].clone()]);
    assert_eq!(both.content(&both.target().await?).await?, both.content(&both.source().await?).await?);
    both.resume_until_done().await?;
    both.remove_until_done().await?;
    both.world.aws.stop().await;
    Ok(())
}

/// In the load: by another task, on a disk twice as large. Every answer is lost once.
#[tokio::test]
async fn a_full_disk_of_the_instance_grows_and_the_load_begins_again() -> Result<()> {
    let both = Both::start().await?;
    both.world.aws.dms().plan_fault("disk-full at 10% below 200 GiB".parse()?);
    both.create_until_done().await?;
    for operation in ["CreateReplicationTask", "ModifyReplicationInstance"] {
        both.world.aws.faults().plan(format!("dms:{operation}:1:lose-answer").parse()?);
    }

    let repairs = both.copy_and_mend().await?;

    let told: Vec<_> =
        repairs.iter().map(|repair| (repair.kind, repair.before.as_str(), repair.after.as_str())).collect();
    let expected = [("50 GiB of disk", "100 GiB of disk"), ("100 GiB of disk", "200 GiB of disk")];
    assert_eq!(told, expected.map(|(before, after)| (RepairKind::DiskFull, before, after)));
    assert_eq!(both.content(&both.target().await?).await?, both.content(&both.source().await?).await?);
    both.resume_until_done().await?;
    both.remove_until_done().await?;
    both.world.aws.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_full_disk_of_either_database_ends_the_load_with_its_instance_named() -> Result<()> {
    let mut both = Both::start().await?;
    both.world.run.target.instance = Some(step_tests::TARGET.to_owned());
    both.create_until_done().await?;
    for instance in [step_tests::TARGET, step_tests::SOURCE] {
        both.world.aws.rds().plan(instance, local_aws_rds::PlannedFault::StorageFull).await?;

        let error = both.copy_until_refused().await?;

        assert_eq!(error.code, ErrorCode::InstanceFailed);
        assert!(error.message.contains(&format!("instance {instance} is storage-full")), "{}", error.message);
    }
    both.world.aws.stop().await;
    Ok(())
}

#[tokio::test]
async fn an_instance_grows_no_further_than_the_run_allows() -> Result<()> {
    let mut both = Both::start().await?;
    both.world.run.limits.max_replication_instance_class = Some("dms.t3.large".to_owned());
    both.world.aws.dms().plan_fault("out-of-memory at 10% while class < dms.r6i.large".parse()?);
    both.create_until_done().await?;

    let error = both.copy_until_refused().await?;

    assert_eq!(error.code, ErrorCode::ReplicationFailed);
    assert!(error.message.contains("limits.maxReplicationInstanceClass (dms.t3.large)"), "{}", error.message);
    both.remove_until_done().await?;
    both.world.aws.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_slot_lost_after_the_load_is_a_load_begun_again() -> Result<()> {
    let both = Both::start().await?;
    both.create_until_done().await?;
    both.copy_until_done().await?;
    both.lose_slot().await?;
    both.source().await?.run("go on writing", r#"DELETE FROM "My_shop"."Orders" WHERE id < 20"#).await?;

    let error = both.resume_until_refused().await?;
    assert_eq!(error.code, ErrorCode::ReplicationFailed);
    assert!(error.message.contains("replication slot"), "{}", error.message);
    let repairs = both.copy_and_mend().await?;
    both.resume_until_done().await?;

    assert_eq!(repairs.iter().map(|repair| repair.kind).collect::<Vec<_>>(), [RepairKind::SlotLost]);
    assert_eq!(both.content(&both.target().await?).await?, both.content(&both.source().await?).await?);
    both.remove_until_done().await?;
    both.world.aws.stop().await;
    Ok(())
}

/// In the load it is begun again, because nobody knows what a task that was stopped half-way has; after it, it goes on.
#[tokio::test]
async fn a_task_that_somebody_stopped_goes_on() -> Result<()> {
    let both = Both::start().await?;
    both.create_until_done().await?;
    both.copy_until_done().await?;
    both.resume_until_done().await?;
    both.stop_task().await?;

    let repairs = both.copy_until_done().await?.repairs;
    assert_eq!(repairs.iter().map(|repair| repair.kind).collect::<Vec<_>>(), [RepairKind::ChangesBroken]);
    both.resume_until_done().await?;
    both.source().await?.run("go on writing", r#"DELETE FROM "My_shop"."Orders" WHERE id < 20"#).await?;
    wait_for("the changes on the target", async || {
        let same = both.content(&both.target().await?).await? == both.content(&both.source().await?).await?;
        Ok(same.then_some(()))
    })
    .await?;

    both.remove_until_done().await?;
    both.world.aws.stop().await;
    Ok(())
}

/// The whole ladder, every answer of it lost once, while somebody writes: nothing is cut, and the task is as it was.
#[tokio::test]
async fn a_table_in_error_is_loaded_again_in_limited_lob_mode_and_nothing_is_cut() -> Result<()> {
    let both = Both::start().await?;
    both.world.aws.dms().plan_fault("table-error on My_shop.Orders in full-lob-mode".parse()?);
    let long = r#"UPDATE "My_shop"."Orders" SET said = repeat('🐘', 400000), raw = decode(repeat('ab', 3000000), 'hex') WHERE id = 5"#;
    both.source().await?.run("write long values", long).await?;
    both.create_until_done().await?;
    both.copy_until_in_error(&["My_shop.Orders"]).await?;
    let (mapping, settings) = both.written().await?;
    for operation in ["ModifyReplicationTask", "StartReplicationTask", "StopReplicationTask", "ReloadTables"] {
        both.world.aws.faults().plan(format!("dms:{operation}:1:lose-answer").parse()?);
    }

    let limits = both.measure_until_done(0).await?;
    assert_eq!(limits, both.measure_until_done(0).await?);
    assert!(limits[0].kilobytes > 3_000_000 / 1024, "{limits:?}");
    let reloaded = both.reload_until_done(&limits).await?;
    both.source().await?.run("go on writing", r#"UPDATE "My_shop"."Orders" SET said = 'late' WHERE id < 5"#).await?;
    both.compare_until_done(&reloaded.reloaded).await?;
    both.restore_until_done().await?;
    both.restore_until_done().await?;

    assert_eq!(reloaded.failed, []);
    assert_eq!(reloaded.repairs.len(), 1, "{:?}", reloaded.repairs);
    assert_eq!(both.written().await?, (mapping, settings), "the task is as it was");
    assert!(both.copy().await?.done);
    both.resume_until_done().await?;
    wait_for("the same rows", async || {
        let same = both.content(&both.target().await?).await? == both.content(&both.source().await?).await?;
        Ok(same.then_some(()))
    })
    .await?;
    both.remove_until_done().await?;
    both.world.aws.stop().await;
    Ok(())
}

/// Three tables of three are in error after a restart in the load; none of them because of its values.
#[tokio::test]
async fn tables_that_a_restart_of_the_instance_put_in_error_are_loaded_again() -> Result<()> {
    let both = Both::start().await?;
    both.world.aws.dms().plan_fault("reboot-instance at 1%".parse()?);
    both.create_until_done().await?;

    let tables = both.copy_until_some_in_error().await?;
    let limits = both.measure_for(&tables, 0).await?;
    let reloaded = both.reload_until_done(&limits).await?;
    both.compare_until_done(&reloaded.reloaded).await?;
    both.restore_until_done().await?;

    assert_eq!(reloaded.reloaded.len(), tables.len());
    assert!(both.copy().await?.done);
    both.resume_until_done().await?;
    assert_eq!(both.content(&both.target().await?).await?, both.content(&both.source().await?).await?);
    both.remove_until_done().await?;
    both.world.aws.stop().await;
    Ok(())
}

/// 60 million characters take 120 MB on their way. Full LOB mode is tried once more, then the run ends.
#[tokio::test]
async fn a_value_beyond_limited_lob_mode_is_named_with_table_column_and_size() -> Result<()> {
    let both = Both::start().await?;
    let huge = r#"UPDATE "My_shop"."Orders" SET said = repeat('x', 60000000) WHERE id = 5"#;
    both.source().await?.run("write a huge value", huge).await?;
    let tables = [TableName { schema: "My_shop".to_owned(), table: "Orders".to_owned() }];

    assert_eq!(both.measure_for(&tables, 0).await?[0].kilobytes, 0, "as the task has it");
    let error = both.measure_refused(&tables, 1).await?;

    assert_eq!(error.code, ErrorCode::TablesInError);
    for word in ["My_shop.Orders", "column said", "120000000 bytes", "102400 KB"] {
        assert!(error.message.contains(word), "{word}: {}", error.message);
    }
    both.world.aws.stop().await;
    Ok(())
}

/// A change finds no row on the target, so DMS suspends the table alone and goes on with the others.
#[tokio::test]
async fn a_table_that_dms_suspended_after_the_load_is_loaded_again() -> Result<()> {
    let both = Both::start().await?;
    both.create_until_done().await?;
    both.copy_until_done().await?;
    both.resume_until_done().await?;
    both.target().await?.run("lose a row", r#"DELETE FROM "My_shop"."Orders" WHERE id = 7"#).await?;
    both.source().await?.run("change it", r#"UPDATE "My_shop"."Orders" SET yes = NOT yes WHERE id = 7"#).await?;
    both.copy_until_in_error(&["My_shop.Orders"]).await?;
    assert!(!both.notes().await?.is_empty(), "DMS noted nothing");
    let named = resume_replication::run(both.world.as_step("resume-replication"), both.world.run_only()).await;
    assert!(named.is_err_and(|error| error.message.contains("My_shop.Orders")), "its table is named");

    let reloaded = both.reload_until_done(&both.measure_until_done(0).await?).await?;
    both.compare_until_done(&reloaded.reloaded).await?;
    assert_eq!(both.notes().await?, Vec::<String>::new());
    both.restore_until_done().await?;
    let output = both.copy().await?;
    both.resume_until_done().await?;

    assert!(output.done && output.repairs.is_empty(), "the run's own stop is no trouble: {output:?}");
    assert_eq!(both.content(&both.target().await?).await?, both.content(&both.source().await?).await?);
    both.remove_until_done().await?;
    both.world.aws.stop().await;
    Ok(())
}

#[tokio::test]
async fn wal_behind_the_slot_above_the_limit_ends_the_run() -> Result<()> {
    let mut both = Both::start().await?;
    both.world.run.limits.max_retained_wal_gb = 1;
    both.create_until_done().await?;
    both.copy_until_done().await?;
    // A real target has it from the snapshot.
    both.target().await?.run("skip nothing", "CREATE TABLE pgleap.catalog_skipped (schema text)").await?;
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
    assert!(error.message.contains("that its databases leave of its storage (1 GiB)"), "{}", error.message);

    both.world.source.storage_gib = Some(1_000);
    write_segments(30).await?;
    let error = both.watch(Some(second)).await.expect_err("too much");

    assert_eq!(error.code, ErrorCode::TooMuchWal);
    assert!(error.message.contains("limits.maxRetainedWalGb (1)"), "{}", error.message);
    both.remove_until_done().await?;
    both.world.aws.stop().await;
    Ok(())
}
