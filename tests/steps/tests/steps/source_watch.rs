//! The watch on the source's changes, as steps use it: what it finds stops the run wherever it is, to the end of the drain.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use pgleap_contract::steps::{
    CompareTablesInput, CopyProgress, GuardCutoverInput, MeasureLobsInput, OnBoth, UnderFence, VerifyCopyInput,
    WatchCopyInput,
};
use pgleap_contract::{ErrorCode, Server};
use pgleap_step_kit::StepError;
use serde_json::json;
use step_tests::{DATABASE, OWNER, SOURCE, TARGET, World, cutover_in};
use tokio::task::JoinHandle;

/// Of the cases: tables whose clients update a key, whose rows are equal, whose values become infinite.
const SCHEMA: &str = "CREATE SCHEMA app; SET search_path = app, pg_catalog;
    CREATE TABLE a_busy (id int PRIMARY KEY, n int NOT NULL); INSERT INTO a_busy SELECT g, 0 FROM generate_series(1, 50) g;
    CREATE TABLE b_busy (id int PRIMARY KEY, valid_to timestamptz NOT NULL); INSERT INTO b_busy SELECT g, now() FROM generate_series(1, 5) g;
    CREATE TABLE c_busy (what varchar(10), n int); INSERT INTO c_busy SELECT 'twin', 1 FROM generate_series(1, 5);
    ALTER TABLE c_busy REPLICA IDENTITY FULL";

pub(crate) struct Watched {
    pub(crate) world: World,
    pub(crate) target: Server,
}

impl Watched {
    pub(crate) async fn start(major: u16) -> Result<Self> {
        let world = World::start(major).await?;
        world.owner().await?.run("make the schema", SCHEMA).await?;
        world.prepare_source().await?;
        let target = world.make_copy().await?;
        // As prepare-target leaves them.
        pgleap_pg::fingerprint::take_filenodes(&world.owner().await?).await?;
        world.arm_watch().await?;
        let names = world.run.names();
        let login = world.ctx.login(&names.copy_source_secret()).await?;
        let secret = json!({ "username": login.username, "password": login.password });
        let secrets = aws_sdk_secretsmanager::Client::new(world.ctx.aws());
        secrets.create_secret().name(names.copy_target_secret()).secret_string(secret.to_string()).send().await?;
        let notes = format!("CREATE SCHEMA pgleap_copy AUTHORIZATION {}", names.copy_login());
        world.rdsadmin(TARGET, DATABASE).await?.batch_execute(&notes).await?;
        world.arm().await?;
        Ok(Self { world, target })
    }

    /// DMS makes its slot when its task starts; what is committed from here on comes by changes.
    pub(crate) async fn start_task(&self) -> Result<()> {
        let admin = self.world.rdsadmin(SOURCE, DATABASE).await?;
        let name = "orders_run_task_00016384_0a1b2c3d_0a1b_2c3d_4e5f_0a1b2c3d4e5f";
        let sql = format!("SELECT pg_create_logical_replication_slot('{name}', 'test_decoding')");
        Ok(admin.batch_execute(&sql).await?)
    }

    async fn on_source(&self, sql: &str) -> Result<()> {
        Ok(self.world.owner().await?.run("change the source", sql).await?)
    }

    fn both(&self) -> OnBoth {
        OnBoth { run: self.world.run.clone(), source: self.world.source.clone(), target: self.target.clone() }
    }

    pub(crate) fn guard_input(&self, held: bool) -> GuardCutoverInput {
        let OnBoth { run, source, target } = self.both();
        let generation = pgleap_contract::Generation::FORWARD;
        let (switched, propagation_milliseconds, since, outage_accepted) = (false, None, None, false);
        GuardCutoverInput {
            run,
            source,
            target,
            generation,
            held,
            switched,
            propagation_milliseconds,
            since,
            outage_accepted,
        }
    }

    async fn watch_copy(&self) -> Result<(), StepError> {
        let OnBoth { run, source, target } = self.both();
        let input = WatchCopyInput { run, source, target, progress: CopyProgress::default(), earlier: None };
        watch_copy::run(self.world.as_step("watch-copy"), input).await.map(drop)
    }

    /// Every step that reads the watch before the fence.
    async fn each_step(&self) -> Vec<(&'static str, Result<(), StepError>)> {
        let world = &self.world;
        let OnBoth { run, source, target } = self.both();
        let (tables, mends) = (Vec::new(), 0);
        let measure = MeasureLobsInput { run: run.clone(), source: source.clone(), tables: Vec::new(), reloads: 0 };
        let compare = CompareTablesInput { run: run.clone(), source: source.clone(), target: target.clone(), tables };
        let verify = VerifyCopyInput { run: run.clone(), source: source.clone(), target: target.clone(), mends };
        let guard = |held| self.guard_input(held);
        vec![
            ("watch-copy", self.watch_copy().await),
            ("measure-lobs", measure_lobs::run(world.as_step("measure-lobs"), measure).await.map(drop)),
            ("compare-tables", compare_tables::run(world.as_step("compare-tables"), compare).await.map(drop)),
            ("rebuild-target", rebuild_target::run(world.as_step("rebuild-target"), self.both()).await.map(drop)),
            ("analyze-target", analyze_target::run(world.as_step("analyze-target"), self.both()).await.map(drop)),
            ("verify-copy", verify_copy::run(world.as_step("verify-copy"), verify).await.map(drop)),
            ("a held cutover", guard_cutover::run(world.as_step("guard-cutover"), guard(true)).await.map(drop)),
            ("guard-cutover", guard_cutover::run(world.as_step("guard-cutover"), guard(false)).await.map(drop)),
        ]
    }

    fn under_fence(&self) -> UnderFence {
        let OnBoth { run, source, target } = self.both();
        UnderFence { run, source, target, cutover: cutover_in(30) }
    }

    /// Plays DMS, whose login gets in under the fence too.
    async fn carry_markers(&self) -> Result<JoinHandle<()>> {
        let source = self.world.rdsadmin(SOURCE, DATABASE).await?;
        let target = self.world.rdsadmin(TARGET, DATABASE).await?;
        Ok(tokio::spawn(async move {
            loop {
                let read = "SELECT id::text, kind FROM pgleap.marker";
                for row in source.query(read, &[]).await.expect("source") {
                    let insert =
                        "INSERT INTO pgleap.marker (id, kind) VALUES ($1::text::uuid, $2) ON CONFLICT DO NOTHING";
                    let values: (&str, &str) = (row.get(0), row.get(1));
                    target.execute(insert, &[&values.0, &values.1]).await.expect("target");
                }
                tokio::time::sleep(Duration::from_millis(30)).await;
            }
        }))
    }

    /// What `verify-copy` keeps of the target before it compares.
    async fn begin_comparison(&self) -> Result<()> {
        let there = self.world.ctx.as_owner(&self.world.run, &self.target).await?;
        Ok(pgleap_pg::fingerprint::take_filenodes(&there).await?)
    }

    async fn is_drained(&self) -> Result<bool> {
        let target = self.world.rdsadmin(TARGET, DATABASE).await?;
        let sql = "SELECT EXISTS (SELECT FROM pgleap.marker WHERE kind = 'drained-1')";
        Ok(target.query_one(sql, &[]).await?.get(0))
    }
}

#[tokio::test]
async fn a_key_that_is_updated_under_a_run_stops_it_at_every_step() -> Result<()> {
    let watched = Watched::start(13).await?;
    watched.watch_copy().await?;
    watched.on_source("UPDATE app.a_busy SET id = 1009 WHERE id = 9").await?;
    watched.watch_copy().await?; // The load comes later and brings the row with its new key.
    watched.start_task().await?;
    watched.on_source("UPDATE app.a_busy SET n = n + 1; DELETE FROM app.a_busy WHERE id = 9").await?;
    watched.watch_copy().await?;

    watched.on_source("UPDATE app.a_busy SET id = 1002 WHERE id = 2").await?;

    // Begun with another step each time it would be found as well: a finding stays.
    for (step, answer) in watched.each_step().await {
        let error = answer.expect_err(step);
        ensure!(error.code == ErrorCode::ChangeNotCarried, "{step}: {error}");
        ensure!(error.message.contains("table app.a_busy: an update of its key: (id) = (2) became (1002)"), "{error}");
    }
    Ok(())
}

#[tokio::test]
async fn the_last_changes_before_the_fence_are_read_before_the_source_is_drained() -> Result<()> {
    let changes = [
        ("UPDATE app.a_busy SET id = 1002 WHERE id = 2", Some("app.a_busy")),
        ("UPDATE app.b_busy SET valid_to = 'infinity' WHERE id = 3", Some("app.b_busy")),
        ("DELETE FROM app.c_busy WHERE ctid = (SELECT min(ctid) FROM app.c_busy)", Some("app.c_busy")),
        ("UPDATE app.a_busy SET n = 7 WHERE id = 2", None),
    ];
    for (change, found) in changes {
        let watched = Watched::start(17).await?;
        watched.watch_copy().await?;
        watched.on_source(&format!("SET synchronous_commit = off; {change}")).await?;
        watched.begin_comparison().await?;
        fence_source::run(watched.world.as_step("fence-source"), watched.under_fence()).await?;
        let carrier = watched.carry_markers().await?;

        for _time in ["once", "twice"] {
            let drained = drain_source::run(watched.world.as_step("drain-source"), watched.under_fence()).await;

            match (drained, found) {
                (Ok(_), None) => ensure!(watched.is_drained().await?, "{change}"),
                (Err(error), Some(table)) => {
                    ensure!(error.code == ErrorCode::ChangeNotCarried, "{change}: {error}");
                    ensure!(error.message.contains(table), "{change}: {error}");
                    ensure!(!watched.is_drained().await?, "{change}: OPEN could follow");
                }
                (drained, found) => panic!("{change}: {drained:?}, not {found:?}"),
            }
        }
        carrier.abort();
        watched.world.aws.stop().await;
    }
    Ok(())
}

/// What happened between the gate's last look and the fence, or while the drain went on.
#[tokio::test]
async fn what_came_after_the_last_look_is_seen_before_the_source_is_drained() -> Result<()> {
    let noted = "CREATE TABLE pgleap_copy.awsdms_suspended_tables (task_name text, table_owner text, table_name text, suspend_reason text);
                 INSERT INTO pgleap_copy.awsdms_suspended_tables VALUES ('t', 'app', 'a_busy', 'no reason')";
    // Where a first call came as far as `applied`, DMS could still note something until it was shut out.
    let applied = "INSERT INTO pgleap.marker (id, kind) VALUES (gen_random_uuid(), 'applied-1')";
    let readable =
        "GRANT USAGE ON SCHEMA pgleap_copy TO PUBLIC; GRANT SELECT ON ALL TABLES IN SCHEMA pgleap_copy TO PUBLIC";
    let cases = [
        (
            SOURCE,
            "CREATE FUNCTION app.late() RETURNS int LANGUAGE sql AS 'SELECT 1'".to_owned(),
            ErrorCode::SourceChanged,
            "late",
        ),
        (SOURCE, "TRUNCATE app.c_busy".to_owned(), ErrorCode::SourceChanged, "c_busy: truncated or rewritten"),
        (TARGET, "TRUNCATE app.c_busy".to_owned(), ErrorCode::DrainFailed, "app.c_busy"),
        (TARGET, format!("{noted}; {readable}"), ErrorCode::DrainFailed, "table app.a_busy is suspended"),
        (TARGET, format!("{applied}; {noted}; {readable}"), ErrorCode::DrainFailed, "table app.a_busy is suspended"),
    ];
    for (instance, change, code, named) in cases {
        let watched = Watched::start(16).await?;
        watched.watch_copy().await?;
        watched.begin_comparison().await?;
        let admin = watched.world.rdsadmin(instance, DATABASE).await?;
        admin.batch_execute(&change).await?;
        fence_source::run(watched.world.as_step("fence-source"), watched.under_fence()).await?;
        let carrier = watched.carry_markers().await?;

        let drained = drain_source::run(watched.world.as_step("drain-source"), watched.under_fence()).await;

        let error = drained.expect_err(&change);
        ensure!(error.code == code && error.message.contains(named), "{change}: {error}");
        ensure!(!watched.is_drained().await?, "{change}: OPEN could follow");
        carrier.abort();
        watched.world.aws.stop().await;
    }
    Ok(())
}

#[tokio::test]
async fn a_watch_that_is_lost_ends_the_run() -> Result<()> {
    let watched = Watched::start(15).await?;
    let names = watched.world.run.names();
    let work = watched.world.ctx.as_work(&watched.world.run, &watched.world.source).await?;
    pgleap_pg::slot::drop(&work, &names.watch_slot()).await?;

    for (step, answer) in watched.each_step().await {
        let error = answer.expect_err(step);
        ensure!(error.code == ErrorCode::WatchLost, "{step}: {error}");
    }
    fence_source::run(watched.world.as_step("fence-source"), watched.under_fence()).await?;
    let carrier = watched.carry_markers().await?;
    let error = drain_source::run(watched.world.as_step("drain-source"), watched.under_fence()).await;
    ensure!(error.expect_err("nothing was watched").code == ErrorCode::WatchLost);
    ensure!(!watched.is_drained().await?, "OPEN could follow");
    carrier.abort();
    Ok(())
}

/// That a marker passes a suspended table, and arrives within moments, is assumed of DMS (docs/fidelity/dms.md): where none
/// arrives, the run waits for it until the deadline, and no cutover comes of it.
#[tokio::test]
async fn a_marker_that_does_not_arrive_is_no_drain() -> Result<()> {
    let watched = Watched::start(16).await?;
    watched.begin_comparison().await?;
    fence_source::run(watched.world.as_step("fence-source"), watched.under_fence()).await?;

    let soon = UnderFence { cutover: cutover_in(4), ..watched.under_fence() };
    let error = drain_source::run(watched.world.as_step("drain-source"), soon).await.expect_err("nothing carries it");

    ensure!([ErrorCode::DrainFailed, ErrorCode::DeadlinePassed].contains(&error.code), "{error}");
    ensure!(!watched.is_drained().await?, "OPEN could follow");
    watched.world.aws.stop().await;
    Ok(())
}

/// That a member of `rds_replication` may move a slot on is assumed of RDS (docs/fidelity/rds.md): where it may not, the first
/// look of the load ends the run, and whoever came further all the same skips nothing.
#[tokio::test]
async fn a_slot_that_may_not_be_moved_on_ends_the_run_before_open() -> Result<()> {
    let watched = Watched::start(16).await?;
    watched.begin_comparison().await?;
    watched.on_source("UPDATE app.a_busy SET n = 7").await?;
    let admin = watched.world.rdsadmin(SOURCE, DATABASE).await?;
    admin.batch_execute("REVOKE EXECUTE ON FUNCTION pg_replication_slot_advance(name, pg_lsn) FROM PUBLIC").await?;

    let refused = watched.watch_copy().await.expect_err("the slot stays where it is");
    ensure!(refused.code == ErrorCode::DatabaseDenied, "{refused}");

    watched.on_source("UPDATE app.a_busy SET id = 1009 WHERE id = 9").await?;
    fence_source::run(watched.world.as_step("fence-source"), watched.under_fence()).await?;
    let carrier = watched.carry_markers().await?;
    let drained = drain_source::run(watched.world.as_step("drain-source"), watched.under_fence()).await;
    let error = drained.expect_err("a key was updated");
    ensure!(error.code == ErrorCode::ChangeNotCarried, "{error}");
    ensure!(!watched.is_drained().await?, "OPEN could follow");
    carrier.abort();
    watched.world.aws.stop().await;
    Ok(())
}

#[tokio::test]
async fn wal_that_piles_up_behind_the_watch_drops_its_slot_and_ends_the_run() -> Result<()> {
    let mut watched = Watched::start(16).await?;
    watched.world.run.limits.max_retained_wal_gb = 1;
    let open = watched.world.owner().await?;
    // A transaction that stays open: a slot keeps WAL from its begin on, however far it is read.
    let hold = "BEGIN; INSERT INTO app.a_busy VALUES (1000, 0)";
    open.run("hold the log", hold).await?;
    let admin = watched.world.rdsadmin(SOURCE, DATABASE).await?;
    for _segment in 0..70 {
        admin.batch_execute("SELECT pg_logical_emit_message(false, 'test', 'x'); SELECT pg_switch_wal()").await?;
    }

    let error = watched.watch_copy().await.expect_err("more than a gigabyte");

    ensure!(error.code == ErrorCode::TooMuchWal, "{error}");
    let slots = admin.query_one("SELECT count(*) FROM pg_replication_slots", &[]).await?.get::<_, i64>(0);
    ensure!(slots == 0, "{slots} slots");
    Ok(())
}

/// A rotation sets it on the source and in the secret, one after the other, and may come again after OPEN.
#[tokio::test]
async fn a_password_that_was_rotated_since_the_snapshot_is_handed_on_to_the_target() -> Result<()> {
    let watched = Watched::start(16).await?;
    watched.start_task().await?;
    let world = &watched.world;
    let OnBoth { run, target, .. } = watched.both();
    let guard = async || guard_cutover::run(world.as_step("guard-cutover"), watched.guard_input(true)).await.err();
    let secrets = aws_sdk_secretsmanager::Client::new(world.ctx.aws());
    let put = async |password: &str| {
        let value = json!({ "username": OWNER, "password": password }).to_string();
        secrets.put_secret_value().secret_id(&run.source.login_secret).secret_string(value).send().await
    };
    let before = guard().await;
    assert!(!before.as_ref().is_some_and(|error| error.message.contains("owner's login")), "{before:?}");

    let rotate = async |password: &str| {
        let alter = format!("ALTER ROLE {OWNER} PASSWORD '{password}'");
        Ok::<(), anyhow::Error>(world.rdsadmin(SOURCE, DATABASE).await?.batch_execute(&alter).await?)
    };
    let opens = async |password: &str| world.session(&target, OWNER, password).await.is_ok();

    rotate("a-new-password").await?;
    let refused = guard().await.context("a refusal")?;
    assert_eq!(refused.code, ErrorCode::CutoverNotSafe, "{refused}");
    assert!(refused.message.contains("refused by the source:"), "{refused}");

    put("a-new-password").await?;
    let after = guard().await;
    assert!(!after.as_ref().is_some_and(|error| error.message.contains("owner's login")), "{after:?}");
    assert_eq!((opens(world.owner_password()).await, opens("a-new-password").await), (false, true), "{after:?}");

    rotate("the-next-password").await?;
    put("the-next-password").await?;
    world.ctx.as_target_owner(&run, &target).await?;
    assert!(world.ctx.as_owner(&run, &target).await.is_err(), "the run does not need the secret of the source");

    let other = json!({ "username": "rdsadmin", "password": "the-next-password" }).to_string();
    secrets.put_secret_value().secret_id(&run.source.login_secret).secret_string(other).send().await?;
    let refused = guard().await.context("a refusal")?;
    assert_eq!(refused.code, ErrorCode::CutoverNotSafe, "{refused}");
    assert!(!refused.message.contains("-password"), "{refused}");
    Ok(())
}
