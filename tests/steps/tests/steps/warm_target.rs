//! What the snapshot brought is read before users need it, and an index that is out of order is built anew.

use anyhow::Result;
use pgleap_contract::Server;
use pgleap_contract::steps::{NoOutput, OnBoth, Unfinished, Warnings};
use pgleap_pg::chores::{self, Phase};
use pgleap_step_kit::{Polled, StepResult};
use step_tests::{TARGET, World, until_done};

const SHOP: &str = r#"
    CREATE SCHEMA shop; CREATE SCHEMA left_alone;
    CREATE TABLE shop.customers (id int PRIMARY KEY, name text COLLATE "C.utf8", photo bytea);
    ALTER TABLE shop.customers ALTER photo SET STORAGE EXTERNAL;
    INSERT INTO shop.customers SELECT n, 'n' || n, decode(repeat('00', 3000), 'hex') FROM generate_series(1, 500) n;
    CREATE INDEX customers_name ON shop.customers (name);
    CREATE TABLE left_alone.notes (id int PRIMARY KEY);
    INSERT INTO left_alone.notes VALUES (1);"#;

/// No two libraries that sort differently are at hand: the index is told that its order is the other way round.
const ANOTHER_ORDER: &str = "
    SET allow_system_table_mods = on;
    UPDATE pg_index SET indoption = '3' WHERE indexrelid = 'shop.customers_name'::regclass";

const IS_SORTED: &str = "SELECT pgleap.bt_index_check('shop.customers_name'::regclass)";

async fn a_copy(world: &mut World) -> Result<Server> {
    world.run.choices.as_of_snapshot_schemas = vec!["shop".to_owned()];
    world.owner().await?.run("load", SHOP).await?;
    world.prepare_source().await?;
    let target = world.make_copy().await?;
    let prepare = async || prepare_target::run(world.as_step("prepare-target"), both(world, &target)).await;
    until_done("prepare-target", prepare).await?;
    Ok(target)
}

fn both(world: &World, target: &Server) -> OnBoth {
    OnBoth { run: world.run.clone(), source: world.source.clone(), target: target.clone() }
}

async fn warm(world: &World, target: &Server) -> StepResult<Polled<NoOutput>> {
    warm_target::run(world.as_step("warm-target"), both(world, target)).await
}

async fn chores_of(world: &World, target: &Server) -> Result<Vec<String>> {
    let owner = world.ctx.as_target_owner(&world.run, target).await?;
    let sql = "SELECT object || CASE WHEN done_at IS NULL THEN ' open' ELSE '' END FROM pgleap.chore WHERE phase = 'warm' ORDER BY rank, id";
    Ok(owner.rows("read the chores", sql, &[]).await?.iter().map(|row| row.get(0)).collect())
}

/// Without what waits for OPEN.
fn warmed(unfinished: &Warnings) -> impl Iterator<Item = &Unfinished> {
    unfinished.named.iter().filter(|one| !one.object.starts_with("autovacuum"))
}

#[tokio::test]
async fn what_the_snapshot_brought_is_read_and_an_index_out_of_order_is_built_anew() -> Result<()> {
    let mut world = World::start(16).await?;
    let target = a_copy(&mut world).await?;
    let admin = world.rdsadmin(TARGET, &target.database).await?;
    admin.batch_execute(ANOTHER_ORDER).await?;

    let done = until_done("warm-target", async || warm(&world, &target).await).await?;
    assert_eq!(warm(&world, &target).await?, Polled::Done(done), "a second call changes nothing");

    let expected = [
        "1 small tables and indexes",
        "1 small tables and indexes",
        "index shop.customers_name",
        "2 small tables and indexes",
        "index shop.customers_name",
    ];
    let mut seen = chores_of(&world, &target).await?;
    seen[1..3].sort();
    assert_eq!(
        seen, expected,
        "a key, indexes, a table with its large values, and what was found; nothing of another schema"
    );
    admin.execute(IS_SORTED, &[]).await?;
    let owner = world.ctx.as_target_owner(&world.run, &target).await?;
    let unfinished = chores::unfinished(&owner).await?;
    let told: Vec<_> = warmed(&unfinished).map(|one| (one.object.as_str(), one.reason.as_str())).collect();
    assert!(
        matches!(told[..], [("index shop.customers_name", reason)] if reason.contains("has been rebuilt")),
        "{told:?}"
    );
    let work = world.ctx.as_work(&world.run, &target).await?;
    let read: Option<f64> = work.row("measure a read", "SELECT pgleap.read_milliseconds()", &[]).await?.get(0);
    assert!(read.is_some_and(|took| took > 0.0), "{read:?}");

    owner.run("clean", "DROP SCHEMA pgleap CASCADE").await?;
    let extensions = "SELECT count(*) FROM pg_extension WHERE extname IN ('pg_prewarm', 'amcheck')";
    assert_eq!(admin.query_one(extensions, &[]).await?.get::<_, i64>(0), 0, "the extensions go with the run's schema");
    Ok(())
}

#[tokio::test]
async fn what_is_left_when_the_time_is_over_is_named() -> Result<()> {
    let mut world = World::start(16).await?;
    let target = a_copy(&mut world).await?;
    world.run.limits.warm_seconds = 0;
    assert_eq!(warm(&world, &target).await?, Polled::Done(NoOutput {}));
    assert_eq!(chores_of(&world, &target).await?, Vec::<String>::new(), "no time, no plan");
    world.run.limits.warm_seconds = 1;
    let owner = world.ctx.as_target_owner(&world.run, &target).await?;
    chores::seconds_since_begun(&owner, Phase::Warm).await?;
    owner.run("wait", "UPDATE pgleap.phase_begun SET at = at - interval '1 hour' WHERE phase = 'warm'").await?;

    let polled = warm(&world, &target).await?;

    assert_eq!(polled, Polled::Done(NoOutput {}));
    let unfinished = chores::unfinished(&owner).await?;
    let told: Vec<_> = warmed(&unfinished).map(|one| format!("{}: {}", one.object, one.reason)).collect();
    let expected = "first reads of 5 tables and indexes, or parts of them: limits.warmSeconds (1 s) ended first, so first reads will be slow for a while";
    assert_eq!(told, [expected]);
    Ok(())
}

#[tokio::test]
async fn indexes_that_the_owner_may_not_check_are_named() -> Result<()> {
    let mut world = World::start(16).await?;
    let target = a_copy(&mut world).await?;
    let admin = world.rdsadmin(TARGET, &target.database).await?;
    let take_away =
        "CREATE EXTENSION amcheck SCHEMA pgleap; REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA pgleap FROM rds_superuser";
    admin.batch_execute(take_away).await?;

    until_done("warm-target", async || warm(&world, &target).await).await?;

    let owner = world.ctx.as_target_owner(&world.run, &target).await?;
    let unfinished = chores::unfinished(&owner).await?;
    let told: Vec<_> = warmed(&unfinished).map(|one| format!("{}: {}", one.object, one.reason)).collect();
    assert_eq!(told, ["order of 1 indexes: not checked: the owner cannot use amcheck on this server"]);
    let reads = chores_of(&world, &target).await?;
    let of_two = reads.iter().filter(|object| *object == "2 small tables and indexes");
    assert_eq!(of_two.count(), 2, "it is read all the same: {reads:?}");
    Ok(())
}
