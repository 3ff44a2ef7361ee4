//! Source and target with a small schema that has every kind of column that DMS carries, and the steps of replication
//! called as the machine calls them.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use pgleap_contract::steps::{
    ColumnName, CompareTablesInput, CopyDataInput, CopyDataOutput, CopyReading, CreateTaskInput, DatabaseSize,
    LobLimit, MeasureLobsInput, MeasureLobsOutput, NoOutput, PrepareReplicationInput, PrepareReplicationOutput,
    ReloadTablesInput, ReloadTablesOutput, Repair, Selection, TableName, UpgradeWay, WatchCopyInput, WatchCopyOutput,
};
use pgleap_contract::{ErrorCode, Server};
use pgleap_pg::{Session, fingerprint};
use pgleap_step_kit::{Polled, StepError, StepResult};
use step_tests::{World, until_done, wait_for};

use crate::support;

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

const SECRET_ROLE: &str = "arn:aws:iam::111122223333:role/DmsSecretRole";

/// Where the functions stand.
pub(crate) fn stack() -> prepare_replication::Place {
    prepare_replication::Place {
        subnet_ids: vec!["subnet-a".to_owned(), "subnet-b".to_owned()],
        security_group_ids: vec!["sg-functions".to_owned()],
    }
}

/// A source, a target that RDS made, and what the steps do between them.
pub(crate) struct Both {
    pub(crate) world: World,
    pub(crate) target: Server,
}

impl Both {
    pub(crate) async fn start() -> Result<Self> {
        let world = World::start(15).await?;
        let owner = world.owner().await?;
        owner.run("make the schema", SCHEMA).await?;
        owner.run("fill it", ROWS).await?;
        world.prepare_source().await?;
        let dms = world.run.names().copy_login();
        let rights = format!(
            "GRANT USAGE ON SCHEMA \"My_shop\" TO {dms}; GRANT ALL ON ALL TABLES IN SCHEMA \"My_shop\" TO {dms}"
        );
        let owner = world.owner().await?;
        owner.run("let DMS read", &rights).await?;
        // as prepare-target does before the load
        fingerprint::take_filenodes(&owner).await?;
        world.arm_watch().await?;

        let target = support::create_target(&world, "17").await?;
        let there = world.ctx.as_owner(&world.run, &target).await?;
        there.run("make the schema", SCHEMA).await?;
        there.run("let DMS write", &rights).await?;
        Ok(Self { world, target })
    }

    fn way() -> UpgradeWay {
        UpgradeWay {
            from: "15".to_owned(),
            hops: Vec::new(),
            dms_engine_version: Some("3.6.1".to_owned()),
            subnet_ids: vec!["subnet-a".to_owned(), "subnet-b".to_owned()],
            security_group_ids: vec!["sg-a".to_owned()],
        }
    }

    pub(crate) fn prepare_input(&self) -> PrepareReplicationInput {
        PrepareReplicationInput {
            run: self.world.run.clone(),
            source: self.world.source.clone(),
            way: Self::way(),
            size: DatabaseSize { tables: 3, bytes: 1 << 20, sequences: 0 },
            ingress: None,
        }
    }

    pub(crate) async fn prepare(&self, input: PrepareReplicationInput) -> StepResult<Polled<PrepareReplicationOutput>> {
        prepare_replication::run_with(self.world.as_step("prepare-replication"), input, SECRET_ROLE, &stack()).await
    }

    pub(crate) async fn create_task(&self) -> StepResult<Polled<NoOutput>> {
        let schema = "My_shop".to_owned();
        let parent = TableName { schema: schema.clone(), table: "events".to_owned() };
        let generated = ColumnName { schema: schema.clone(), table: "Orders".to_owned(), column: "twice".to_owned() };
        let input = CreateTaskInput {
            run: self.world.run.clone(),
            source: self.world.source.clone(),
            target: self.target.clone(),
            way: Self::way(),
            selection: Selection {
                schemas: vec![schema],
                excluded_tables: vec![parent],
                removed_columns: vec![generated],
                replica_role: false,
            },
        };
        create_task::run_with(self.world.as_step("create-task"), input, SECRET_ROLE).await
    }

    /// A look of both steps that make what DMS needs.
    pub(crate) async fn create(&self) -> StepResult<Polled<NoOutput>> {
        match self.prepare(self.prepare_input()).await? {
            Polled::Done(_) => self.create_task().await,
            Polled::Waiting(waiting_for) => Ok(Polled::Waiting(waiting_for)),
        }
    }

    /// As the machine does it: a failed connection test is worth a few retries.
    pub(crate) async fn create_until_done(&self) -> Result<usize> {
        let began = Instant::now();
        let mut failed_tests = 0;
        while began.elapsed() < Duration::from_secs(60) {
            match self.create().await {
                Ok(Polled::Done(_)) => return Ok(failed_tests),
                Err(error) if error.code == ErrorCode::NetworkBlocked && failed_tests < 3 => failed_tests += 1,
                Err(error) if error.code == ErrorCode::ServiceUnavailable => {}
                Ok(Polled::Waiting(_)) => {}
                Err(error) => return Err(error.into()),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        bail!("prepare-replication and create-task: not done after 60 s")
    }

    pub(crate) async fn copy(&self) -> StepResult<CopyDataOutput> {
        let input = CopyDataInput { run: self.world.run.clone(), repairs: Vec::new() };
        copy_data::run(self.world.as_step("copy-data"), input).await
    }

    pub(crate) async fn copy_until_done(&self) -> Result<CopyDataOutput> {
        wait_for("copy-data", async || Ok(Some(self.copy().await?).filter(|output| output.done))).await
    }

    /// As the machine does it: what was mended goes from look to look.
    pub(crate) async fn copy_and_mend(&self) -> Result<Vec<Repair>> {
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

    pub(crate) fn dms(&self) -> aws_sdk_databasemigration::Client {
        aws_sdk_databasemigration::Client::new(self.world.ctx.aws())
    }

    /// Names of the tasks that exist.
    pub(crate) async fn tasks(&self) -> Result<Vec<String>> {
        let tasks = self.dms().describe_replication_tasks().send().await?;
        Ok(tasks.replication_tasks().iter().filter_map(|task| task.replication_task_identifier.clone()).collect())
    }

    pub(crate) async fn stop_task(&self) -> Result<()> {
        let task = self.dms().describe_replication_tasks().send().await?.replication_tasks()[0].clone();
        let arn = task.replication_task_arn().unwrap_or_default();
        self.dms().stop_replication_task().replication_task_arn(arn).send().await?;
        Ok(())
    }

    pub(crate) async fn lose_slot(&self) -> Result<()> {
        let admin = self.world.rdsadmin(step_tests::SOURCE, step_tests::DATABASE).await?;
        let drop = "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active AND slot_name !~ '^pgleap_'";
        Ok(admin.batch_execute(drop).await?)
    }

    pub(crate) async fn resume_until_refused(&self) -> Result<StepError> {
        wait_for("resume-replication to be refused", async || {
            match resume_replication::run(self.world.as_step("resume-replication"), self.world.run_only()).await {
                Ok(Polled::Done(_)) => bail!("it ended well"),
                Ok(Polled::Waiting(_)) => Ok(None),
                Err(error) => Ok(Some(error)),
            }
        })
        .await
    }

    pub(crate) async fn watch(&self, earlier: Option<CopyReading>) -> StepResult<WatchCopyOutput> {
        let (run, source, target) = (self.world.run.clone(), self.world.source.clone(), self.target.clone());
        let progress = self.copy().await?.progress;
        watch_copy::run(self.world.as_step("watch-copy"), WatchCopyInput { run, source, target, progress, earlier })
            .await
    }

    /// What DMS noted on the target.
    pub(crate) async fn notes(&self) -> Result<Vec<String>> {
        let secret = self.world.run.names().copy_target_secret();
        let dms = self.world.ctx.connect(&self.world.run, &self.target, &secret).await?;
        Ok(dms_databases::notes::read(&dms).await?)
    }

    pub(crate) async fn copy_until_some_in_error(&self) -> Result<Vec<TableName>> {
        let output = wait_for("tables in error", async || {
            Ok(Some(self.copy().await?).filter(|output| output.in_error && !output.done))
        });
        Ok(output.await?.tables_in_error)
    }

    pub(crate) async fn copy_until_in_error(&self, expected: &[&str]) -> Result<()> {
        let tables: Vec<_> = self.copy_until_some_in_error().await?.iter().map(ToString::to_string).collect();
        assert_eq!(tables, expected);
        Ok(())
    }

    pub(crate) async fn measure(&self, tables: &[TableName], reloads: u32) -> StepResult<Polled<MeasureLobsOutput>> {
        let (run, source) = (self.world.run.clone(), self.world.source.clone());
        measure_lobs::run(
            self.world.as_step("measure-lobs"),
            MeasureLobsInput { run, source, tables: tables.to_vec(), reloads },
        )
        .await
    }

    pub(crate) async fn measure_for(&self, tables: &[TableName], reloads: u32) -> Result<Vec<LobLimit>> {
        let output = until_done("measure-lobs", async || self.measure(tables, reloads).await);
        Ok(output.await?.limits)
    }

    pub(crate) async fn measure_until_done(&self, reloads: u32) -> Result<Vec<LobLimit>> {
        self.measure_for(&self.copy_until_some_in_error().await?, reloads).await
    }

    pub(crate) async fn measure_refused(&self, tables: &[TableName], reloads: u32) -> Result<StepError> {
        wait_for("measure-lobs to refuse", async || match self.measure(tables, reloads).await {
            Ok(Polled::Done(_)) => bail!("it ended well"),
            Ok(Polled::Waiting(_)) => Ok(None),
            Err(error) => Ok(Some(error)),
        })
        .await
    }

    pub(crate) async fn reload_until_done(&self, limits: &[LobLimit]) -> Result<ReloadTablesOutput> {
        wait_for("reload-tables", async || {
            let (run, limits) = (self.world.run.clone(), limits.to_vec());
            let input = ReloadTablesInput { run, limits, repairs: Vec::new() };
            match reload_tables::run(self.world.as_step("reload-tables"), input).await {
                Err(error) if error.code == ErrorCode::ServiceUnavailable => Ok(None), // the lost answer
                other => Ok(other?.done()),
            }
        })
        .await
    }

    pub(crate) async fn compare_until_done(&self, tables: &[TableName]) -> Result<()> {
        until_done("compare-tables", async || {
            let (run, source) = (self.world.run.clone(), self.world.source.clone());
            let input = CompareTablesInput { run, source, target: self.target.clone(), tables: tables.to_vec() };
            compare_tables::run(self.world.as_step("compare-tables"), input).await
        })
        .await?;
        Ok(())
    }

    pub(crate) async fn restore_until_done(&self) -> Result<()> {
        let ctx = self.world.as_step("restore-lob-mode");
        until_done("restore-lob-mode", async || restore_lob_mode::run(ctx, self.world.run_only()).await).await?;
        Ok(())
    }

    /// Mapping and settings of the task, as texts.
    pub(crate) async fn written(&self) -> Result<(String, String)> {
        let task = self.dms().describe_replication_tasks().send().await?.replication_tasks()[0].clone();
        Ok((task.table_mappings.unwrap_or_default(), task.replication_task_settings.unwrap_or_default()))
    }

    pub(crate) async fn copy_until_refused(&self) -> Result<StepError> {
        wait_for("copy-data to be refused", async || match self.copy().await {
            Ok(output) if output.done => bail!("it ended well"),
            Ok(_looking) => Ok(None),
            Err(error) => Ok(Some(error)),
        })
        .await
    }

    pub(crate) async fn resume_until_done(&self) -> Result<()> {
        let ctx = self.world.as_step("resume-replication");
        until_done("resume-replication", async || resume_replication::run(ctx, self.world.run_only()).await).await?;
        Ok(())
    }

    pub(crate) async fn remove_until_done(&self) -> Result<()> {
        let ctx = self.world.as_step("remove-replication");
        until_done("remove-replication", async || remove_replication::run(ctx, self.world.run_only()).await).await?;
        Ok(())
    }

    pub(crate) async fn source(&self) -> Result<Session> {
        self.world.owner().await
    }

    pub(crate) async fn target(&self) -> Result<Session> {
        Ok(self.world.ctx.as_owner(&self.world.run, &self.target).await?)
    }

    /// Both sides have the same rows.
    pub(crate) async fn assert_same(&self) -> Result<()> {
        assert_eq!(self.content(&self.target().await?).await?, self.content(&self.source().await?).await?);
        Ok(())
    }

    /// Everything of replication goes, and then the world.
    pub(crate) async fn end(self) -> Result<()> {
        self.remove_until_done().await?;
        self.world.aws.stop().await;
        Ok(())
    }

    /// Changes of the source arrive.
    pub(crate) async fn wait_until_same(&self) -> Result<()> {
        wait_for("the changes on the target", async || {
            let same = self.content(&self.target().await?).await? == self.content(&self.source().await?).await?;
            Ok(same.then_some(()))
        })
        .await
    }

    /// Rows and content of the tables, generated columns too.
    pub(crate) async fn content(&self, session: &Session) -> Result<(i64, String)> {
        let sql = r#"SELECT (SELECT count(*) FROM "My_shop".events) + count(*),
                            md5(string_agg(o::text, '|' ORDER BY id)) FROM "My_shop"."Orders" o"#;
        let row = session.row("read the tables", sql, &[]).await?;
        Ok((row.get(0), row.get(1)))
    }
}
