//! `fence-source` and `unfence-source`: nobody gets in, whoever he is; then everybody does again, exactly as before.

use anyhow::{Context, Result};
use local_aws_postgres::{Cluster, REPLICATOR, Servers, connect};
use pgleap_contract::steps::{UnderFence, UnfenceSourceInput};
use pgleap_contract::{ErrorCode, Generation, Outcome, Server};
use pgleap_mark::State;
use step_tests::{DATABASE, OWNER, SOURCE, TARGET, World, cutover_in, wait_for};
use tokio_postgres::Client;

const APPLICATION: &str = "
    CREATE ROLE app LOGIN PASSWORD 'app-password';
    CREATE ROLE table_owner LOGIN PASSWORD 'app-password';
    GRANT CONNECT ON DATABASE orders TO app;
    GRANT TEMPORARY, CONNECT ON DATABASE orders TO table_owner WITH GRANT OPTION;
    CREATE TABLE public.t (id int PRIMARY KEY);
    GRANT ALL ON public.t TO app, table_owner;";
/// Everybody who had a way in, the owner first.
fn everybody(world: &World) -> [(&'static str, &'static str); 3] {
    [(OWNER, world.owner_password()), ("app", "app-password"), ("table_owner", "app-password")]
}

async fn access(world: &World, server: &Server) -> Result<Vec<String>> {
    let instance = if server == &world.source { SOURCE } else { TARGET };
    let admin = world.rdsadmin(instance, "postgres").await?;
    let sql = "SELECT format('%s %s %s %s', d.datname, coalesce(r.rolname, 'PUBLIC'), e.privilege_type, e.is_grantable)
               FROM pg_database d CROSS JOIN LATERAL aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) e
               LEFT JOIN pg_roles r ON r.oid = e.grantee ORDER BY 1";
    Ok(admin.query(sql, &[]).await?.iter().map(|row| row.get(0)).collect())
}

async fn fenced_and_back(from: u16) -> Result<()> {
    let world = World::start(from).await?;
    world.owner().await?.run("make roles", APPLICATION).await?;
    world.prepare_source().await?;
    let target = world.make_copy().await?;
    let before = access(&world, &world.source).await?;
    let mut sessions = Vec::new();
    for (user, password) in everybody(&world) {
        sessions.push(world.session(&world.source, user, password).await?);
    }
    let input = UnderFence {
        run: world.run.clone(),
        source: world.source.clone(),
        target: target.clone(),
        cutover: cutover_in(60),
    };

    world.arm().await?;
    for time in ["once", "twice"] {
        fence_source::run(world.as_step("fence-source"), input.clone()).await?;
        for (user, password) in everybody(&world) {
            for server in [&world.source, &target] {
                assert!(
                    world.session(server, user, password).await.is_err(),
                    "{user} gets into {} fenced {time}",
                    server.host
                );
            }
        }
        for session in &sessions {
            assert!(
                session.run("write", "INSERT INTO public.t VALUES (1)").await.is_err(),
                "a session outlived the fence"
            );
        }
        let elsewhere = Server { database: "postgres".to_owned(), ..world.source.clone() };
        assert!(
            world.session(&elsewhere, OWNER, world.owner_password()).await.is_err(),
            "the owner gets into another database"
        );
    }

    let back = UnfenceSourceInput {
        run: world.run.clone(),
        source: world.source.clone(),
        target: Some(target),
        generation: Generation::FORWARD,
    };
    for time in ["once", "twice"] {
        assert_eq!(unfence_source::run(world.as_step("unfence-source"), back.clone()).await?.outcome, Outcome::Back);
        assert_eq!(access(&world, &world.source).await?, before, "unfenced {time}");
        for (user, password) in everybody(&world) {
            let session = world.session(&world.source, user, password).await?;
            session.run("write", "INSERT INTO public.t VALUES (1) ON CONFLICT DO NOTHING").await?;
        }
    }
    assert_eq!(world.mark().await?, Some(State::Back { target_holds_back: true }));
    // Who claimed the rollback first keeps it: no OPEN can follow.
    let error = open_target::run(world.as_step("open-target"), input).await.expect_err("the way back was claimed");
    assert_eq!(error.code, ErrorCode::AlreadyBack);
    Ok(())
}

#[tokio::test]
async fn everybody_is_fenced_and_let_in_again_on_13() -> Result<()> {
    fenced_and_back(13).await
}

#[tokio::test]
async fn everybody_is_fenced_and_let_in_again_on_15() -> Result<()> {
    fenced_and_back(15).await
}

#[tokio::test]
async fn everybody_is_fenced_and_let_in_again_on_17() -> Result<()> {
    fenced_and_back(17).await
}

/// A streaming standby of the source, as a read replica is one.
async fn standby(world: &World) -> Result<Cluster> {
    let admin = world.rdsadmin(SOURCE, DATABASE).await?;
    let role = format!("CREATE ROLE {REPLICATOR} LOGIN REPLICATION PASSWORD 'replica' IN ROLE rds_replication");
    admin.batch_execute(&role).await?;
    let primary = world.aws.rds().admin_config(SOURCE).context("no source")?;
    Ok(Servers::for_tests().start_standby(15, "replica-of-orders", &primary, "replica").await?)
}

async fn as_app(standby: &Cluster) -> Result<Client> {
    let mut config = standby.admin_config();
    Ok(connect(config.user("app").password("app-password").dbname(DATABASE)).await?)
}

/// Who streams to the standby, and how far that has come.
async fn streams(world: &World) -> Result<(i32, bool)> {
    let admin = world.rdsadmin(SOURCE, DATABASE).await?;
    let sql = "SELECT r.pid, r.replay_lsn >= pg_current_wal_flush_lsn() FROM pg_stat_replication r JOIN pg_stat_activity a USING (pid)
               WHERE a.backend_type = 'walsender' AND a.datid IS NULL AND r.state = 'streaming'";
    let row = admin.query_opt(sql, &[]).await?.context("nobody streams")?;
    Ok((row.get(0), row.get::<_, Option<bool>>(1).unwrap_or(false)))
}

async fn caught_up(world: &World) -> Result<i32> {
    wait_for("the standby to catch up", async || {
        Ok(streams(world).await.ok().filter(|(_, caught_up)| *caught_up).map(|(pid, _)| pid))
    })
    .await
}

#[tokio::test]
async fn a_read_replica_goes_on_behind_the_fence_and_lets_nobody_in_until_the_fail_back() -> Result<()> {
    let world = World::start(15).await?;
    world.owner().await?.run("make roles", APPLICATION).await?;
    world.prepare_source().await?;
    let target = world.make_copy().await?;
    let standby = standby(&world).await?;
    let sender = caught_up(&world).await?;
    let reader = as_app(&standby).await?;
    let admin = world.rdsadmin(SOURCE, DATABASE).await?;
    let (source, run) = (world.source.clone(), world.run.clone());
    let input =
        UnderFence { run: run.clone(), source: source.clone(), target: target.clone(), cutover: cutover_in(60) };
    world.arm().await?;

    let fenced = fence_source::run(world.as_step("fence-source"), input).await?;

    assert_eq!(fenced.sessions_ended, 0, "{fenced:?}");
    assert_eq!(caught_up(&world).await?, sender, "the replica's sender was ended");
    let refused = as_app(&standby).await.err().context("a new connection to the replica")?;
    assert!(format!("{refused:?}").contains("permission denied for database"), "{refused:?}");
    admin.execute("INSERT INTO public.t VALUES (7)", &[]).await?;
    caught_up(&world).await?;
    let rows: i64 = reader.query_one("SELECT count(*) FROM public.t", &[]).await?.get(0);
    assert_eq!(rows, 1, "an open session reads on");

    let back = UnfenceSourceInput { run, source, target: Some(target), generation: Generation::FORWARD };
    unfence_source::run(world.as_step("unfence-source"), back).await?;
    caught_up(&world).await?;
    as_app(&standby).await?;
    Ok(())
}

/// What `drain-source` leaves on the target, where DMS has nothing to apply.
async fn drained(world: &World, target: &Server) -> Result<()> {
    let work = world.ctx.as_work(&world.run, target).await?;
    let login = world.run.names().work_login();
    pgleap_pg::access::shut(&work, &cutover_in(60), &[&login]).await?;
    let sql = "INSERT INTO pgleap.marker (id, kind) VALUES (gen_random_uuid(), 'drained-1')";
    work.run("note that the source is drained", sql).await?;
    Ok(())
}

#[tokio::test]
async fn after_open_nothing_leads_back() -> Result<()> {
    let world = World::start(16).await?;
    world.owner().await?.run("make roles", APPLICATION).await?;
    world.prepare_source().await?;
    let target = world.make_copy().await?;
    let input = UnderFence {
        run: world.run.clone(),
        source: world.source.clone(),
        target: target.clone(),
        cutover: cutover_in(60),
    };
    world.arm().await?;
    fence_source::run(world.as_step("fence-source"), input.clone()).await?;
    let error = open_target::run(world.as_step("open-target"), input.clone()).await.expect_err("not drained");
    assert!(error.message.contains("not drained"), "{error}");
    drained(&world, &target).await?;
    let admin = world.rdsadmin(TARGET, DATABASE).await?;
    admin.batch_execute("GRANT CONNECT ON DATABASE orders TO app").await?;
    let error = open_target::run(world.as_step("open-target"), input.clone()).await.expect_err("a door is open");
    assert!(error.message.contains("others may connect already: orders: app"), "{error}");
    admin.batch_execute("REVOKE CONNECT ON DATABASE orders FROM app").await?;

    let late = UnderFence { cutover: cutover_in(-1), ..input.clone() };
    assert_eq!(
        open_target::run(world.as_step("open-target"), late.clone()).await.expect_err("late").code,
        ErrorCode::DeadlinePassed
    );
    for _time in ["once", "twice"] {
        assert_eq!(open_target::run(world.as_step("open-target"), input.clone()).await?.outcome, Outcome::Open);
    }
    // A lost answer, found again after the deadline.
    assert_eq!(open_target::run(world.as_step("open-target"), late).await?.outcome, Outcome::Open);
    assert_eq!(world.mark().await?, Some(State::Open));

    let back = UnfenceSourceInput {
        run: world.run.clone(),
        source: world.source.clone(),
        target: Some(target.clone()),
        generation: Generation::FORWARD,
    };
    assert_eq!(unfence_source::run(world.as_step("unfence-source"), back).await?.outcome, Outcome::Open);
    for (user, password) in everybody(&world) {
        assert!(world.session(&world.source, user, password).await.is_err(), "{user} gets into the source after OPEN");
        world.session(&target, user, password).await?;
    }
    Ok(())
}
