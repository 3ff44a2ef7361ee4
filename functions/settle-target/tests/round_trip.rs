//! From prepare-target to settle-target the target's catalogs make a round trip: at the end they are as they were.

#![allow(clippy::unwrap_used, reason = "a test")]

mod unfinished;
mod world;

use hack as _;
use pgleap_pg::Session;
use pgleap_pg::chores::{self, Phase};
use pgleap_pg::{access, sequences};
use world::*;

#[tokio::test]
async fn catalogs_make_a_round_trip_from_13_to_14() {
    round_trip(13, 14, false).await;
}

#[tokio::test]
async fn catalogs_make_a_round_trip_from_13_to_18() {
    round_trip(13, 18, false).await;
}

#[tokio::test]
async fn catalogs_make_a_round_trip_from_16_to_17_with_the_replica_role() {
    round_trip(16, 17, true).await;
}

async fn round_trip(from: u16, to: u16, replica_role: bool) {
    let world = World::start(from, to).await;
    let owner = world.target(MASTER).await;
    let (catalog, dump) = (world.catalog().await, world.dump());
    prepare_source_of_another_step(&world).await;

    prepare(&world, &owner, replica_role).await;
    refuse_nothing_to_dms(&world).await;
    world.copy_rows().await;
    world.work_off(&owner, Phase::Rebuild).await;
    owner.run("plan the statistics", analyze_target::PLAN).await.unwrap();
    world.work_off(&owner, Phase::Analyze).await;
    let given_up = chores::given_up(&owner, Phase::Analyze).await.unwrap();
    assert!(given_up.iter().all(|what| what.contains("rich.functional")), "{given_up:?}");
    assert_eq!(given_up.is_empty(), to < 17, "{given_up:?}");
    if replica_role {
        assert_eq!(count(&owner, "SELECT count(*) FROM pgleap.chore WHERE phase = 'complete' AND object ~ '^foreign key' AND done_at IS NULL").await, 2,
                   "but for the two that were never valid, foreign keys are back before the changes");
    }
    complete(&world).await;
    world.work_off(&owner, Phase::Settle).await;
    let unfinished = chores::unfinished(&owner).await.unwrap();
    assert!(unfinished.named.iter().all(|one| one.object.contains("statistics of rich.functional")), "{unfinished:?}");

    clean_databases_of_another_step(&world, &owner).await;
    same("catalog", &catalog, &world.catalog().await);
    same("dump", &dump, &world.dump());
    assert_eq!(rows(&world.source_admin().await).await, rows(&world.target_admin().await).await);
}

async fn plan(owner: &Session, replica_role: bool) {
    prepare_target::plan::make(owner, &a_run()).await.unwrap();
    empty_target::plan::make(owner, &a_run(), replica_role).await.unwrap();
}

/// Plan twice, as after a lost answer; the second changes nothing.
async fn prepare(world: &World, owner: &Session, replica_role: bool) {
    chores::install(owner, WORK).await.unwrap();
    access::install(owner, WORK).await.unwrap();
    sequences::install(owner, WORK).await.unwrap();
    sequences::install(&world.source(MASTER).await, WORK).await.unwrap();
    plan(owner, replica_role).await;
    empty_target::path::give(&world.target(DMS).await, owner).await.unwrap();
    let planned = count(owner, "SELECT count(*) FROM pgleap.chore").await;
    chores::install(owner, WORK).await.unwrap();
    plan(&world.target(MASTER).await, replica_role).await;
    assert_eq!(count(owner, "SELECT count(*) FROM pgleap.chore").await, planned);

    world.work_off(owner, Phase::Prepare).await;

    let left = rows(&world.target_admin().await).await;
    assert!(left.values().all(|count| *count == 0), "{left:?}");
    assert_eq!(count(owner, "SELECT count(*) FROM pg_constraint WHERE contype = 'f'").await, 0);
    let fires = "SELECT count(*) FROM pg_trigger t JOIN pgleap.carried k ON k.relid = t.tgrelid WHERE t.tgenabled <> 'D' AND t.tgconstraint = 0";
    assert_eq!(count(owner, fires).await, 0);
    let kept = "SELECT string_agg(c.relname, ',' ORDER BY 1) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
                JOIN pg_class t ON t.oid = i.indrelid WHERE t.relname IN ('two_unique_keys', 'identity_by_index', 'bookings')";
    let kept: String = owner.row("read", &kept.replace("ORDER BY 1", "ORDER BY c.relname"), &[]).await.unwrap().get(0);
    assert_eq!(kept, "bookings_pkey,identity_by_index_pkey,identity_index,kept_key");
}

/// What DMS does with a row that has large values: first without them, then with.
async fn refuse_nothing_to_dms(world: &World) {
    let dms = world.target(DMS).await;
    let sql = "INSERT INTO rich.large_columns (id, data, bits, list, wide, short, kind) VALUES (1, NULL, NULL, NULL, 'wide', NULL, 0);
               UPDATE rich.large_columns SET \"Body\" = '', data = '{}', bits = '', list = '{}', short = '' WHERE id = 1;
               INSERT INTO rich.tree_2_low (region, id, body) VALUES (2, 1, NULL);
               INSERT INTO shop.customers (id, country, email, family_name) VALUES (7, 'XX', 'a@b', 'x');
               INSERT INTO pgleap.marker (id, kind) VALUES (gen_random_uuid(), 'x');
               CREATE TABLE pgleap_copy.awsdms_status (a int);
               TRUNCATE rich.large_columns, rich.tree_2_low, shop.customers, pgleap.marker";
    dms.run("write as DMS does", sql).await.unwrap();
}
