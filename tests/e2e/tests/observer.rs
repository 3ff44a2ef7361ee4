//! The observer at a drain point made by hand: two servers that hold the same, and then do not.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use std::sync::Arc;
use std::time::{Duration, Instant};

use common::Bench;
use local_aws_postgres::{Cluster, Shutdown};
use rehearsal::observer::{AT_DRAIN_POINT, Access, DrainPoint, DrainWatch};

fn access(cluster: &Cluster) -> Access {
    let mut config = cluster.admin_config();
    config.dbname("shop");
    Arc::new(move || Some(config.clone()))
}

/// What the run does: say that it is drained, and wait until the observer lets go. Bounded by the test's patience.
async fn drained(source: &Cluster, target: &Cluster) -> DrainWatch {
    let watch = DrainWatch::start(access(source), access(target), target.major()).await.unwrap();
    let run = target.admin("shop").await.unwrap();
    let held = "SELECT NOT pg_try_advisory_lock(hashtext('pgleap observer'))";
    let began = Instant::now();
    while !run.query_one(held, &[]).await.unwrap().get::<_, bool>(0) {
        run.batch_execute("SELECT pg_advisory_unlock(hashtext('pgleap observer'))").await.unwrap();
        assert!(began.elapsed() < Duration::from_secs(20), "the observer never took its lock");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // It listens a moment after it holds the lock.
    while run.query("SELECT FROM pg_stat_activity WHERE query LIKE 'LISTEN%'", &[]).await.unwrap().is_empty() {
        assert!(began.elapsed() < Duration::from_secs(20), "the observer never listened");
    }
    let patience = "SET lock_timeout = '3s'; SELECT pg_advisory_lock(hashtext('pgleap observer'));
                    SELECT pg_advisory_unlock(hashtext('pgleap observer'))";
    run.batch_execute("NOTIFY pgleap_drained").await.unwrap();
    run.batch_execute(patience).await.unwrap();
    watch
}

async fn drain_point(source: &Cluster, target: &Cluster) -> DrainPoint {
    let watch = drained(source, target).await;
    // Clients go on writing: the comparison must not see this.
    target.admin("shop").await.unwrap().batch_execute("DELETE FROM shop.clicks").await.unwrap();
    let point = watch.finish().await.unwrap().expect("it was told");
    assert_eq!(point.comparison, AT_DRAIN_POINT);
    point
}

/// Nobody but superusers may connect, as under the fence and before OPEN.
async fn shut(cluster: &Cluster) {
    let admin = cluster.admin("shop").await.unwrap();
    admin
        .batch_execute(
            "UPDATE pg_database SET datacl = ARRAY[makeaclitem(10, 10, 'CONNECT', false)] WHERE datname = 'shop'",
        )
        .await
        .unwrap();
}

/// The server dies with the observer's snapshot, in the middle of the comparison: a lock keeps it from its end.
async fn crash(cluster: &Cluster, watch: &DrainWatch) {
    let files = cluster.files().unwrap();
    assert!(!watch.is_finished(), "the comparison was too fast");
    cluster.stop(Shutdown::Immediate).await.unwrap();
    cluster.start(files).await.unwrap();
}

fn differing(point: &DrainPoint) -> Vec<&str> {
    point.tables.iter().filter(|table| !table.equal).map(|table| table.name.as_str()).collect()
}

#[tokio::test]
async fn an_upgraded_copy_is_equal_at_the_drain_point_and_damage_is_named() {
    let bench = Bench::new();
    let source = bench.source(13).await;
    let files = common::stop(&source).await;
    let target = bench.upgraded(&source, 18).await;
    source.start(files).await.unwrap();

    let point = drain_point(&source, &target).await;

    assert!(differing(&point).is_empty(), "{:?}", point.tables);
    assert!(point.tables.len() > 30 && point.tables.iter().any(|table| table.name == "measurements_2025_even"));
    let rows = |name: &str| point.tables.iter().find(|table| table.name == name).unwrap().rows_target.unwrap();
    assert_eq!((rows("clicks"), rows("documents")), (3020, 163));
    assert!(
        point.sequences.len() > 10 && point.sequences.iter().all(|sequence| sequence.past),
        "{:?}",
        point.sequences
    );
    assert_eq!(point.views.len(), 3, "{:?}", point.views);
    assert!(point.views.iter().all(|view| view.fresh_at_drain), "{:?}", point.views);
    assert!(point.held_milliseconds < 500.0, "{}", point.held_milliseconds);

    let admin = target.admin("shop").await.unwrap();
    let damage = "
        UPDATE shop.measurements_rest SET value = value + 0.0000001 WHERE ctid IN (SELECT min(ctid) FROM shop.measurements_rest WHERE value > 1);
        DROP TABLE shop.empty_for_now;
        UPDATE shop.order_lines SET price = 0 WHERE line = 1 AND order_id IN (SELECT id FROM shop.orders LIMIT 1);
        SELECT setval('shop.countdown_seq', 999900)";
    admin.batch_execute(damage).await.unwrap();

    let point = drain_point(&source, &target).await;

    assert_eq!(differing(&point), ["clicks", "empty_for_now", "measurements_rest", "order_lines"]);
    let behind: Vec<_> =
        point.sequences.iter().filter(|sequence| !sequence.past).map(|sequence| sequence.name.as_str()).collect();
    assert_eq!(behind, ["shop.countdown_seq"]);
    assert!(point.views.iter().any(|view| !view.is_fresh()), "{:?}", point.views);
}

#[tokio::test]
async fn a_comparison_that_a_crash_ended_is_made_again_as_far_as_it_is_sound() {
    let bench = Bench::new();
    let source = bench.source(16).await;
    let files = common::stop(&source).await;
    let target = bench.upgraded(&source, 17).await;
    source.start(files).await.unwrap();
    let hold = "BEGIN; LOCK TABLE shop.clicks IN ACCESS EXCLUSIVE MODE";
    let damage = "UPDATE shop.rates SET rate = rate + 1 WHERE ctid IN (SELECT min(ctid) FROM shop.rates)";

    // The source is not fenced: nothing can be said any more.
    let holder = target.admin("shop").await.unwrap();
    let watch = drained(&source, &target).await;
    holder.batch_execute(hold).await.unwrap();
    crash(&target, &watch).await;
    assert!(watch.finish().await.unwrap().is_none());

    // Both sides are shut: everything is compared again.
    shut(&source).await;
    shut(&target).await;
    for crashed in [&target, &source] {
        let holder = crashed.admin("shop").await.unwrap();
        let watch = drained(&source, &target).await;
        holder.batch_execute(hold).await.unwrap();
        crash(crashed, &watch).await;
        let point = watch.finish().await.unwrap().expect("the source is fenced");
        assert!(point.comparison.contains("not open yet"), "{}", point.comparison);
        assert!(differing(&point).is_empty() && point.tables.len() > 30, "{:?}", point.tables);
        assert!(point.uncompared.is_empty() && point.catalog.is_some());
    }

    // The target was opened and written to: only what nobody wrote to on the source is compared, damage there is seen.
    let watch = DrainWatch::start(access(&source), access(&target), target.major()).await.unwrap();
    let on_source = source.admin("shop").await.unwrap();
    on_source.batch_execute("UPDATE shop.clicks SET seen = seen + 1; SELECT pg_sleep(1.1); SELECT 1").await.unwrap();
    drop(on_source);
    let on_target = target.admin("shop").await.unwrap();
    on_target.batch_execute("UPDATE pg_database SET datacl = NULL WHERE datname = 'shop'").await.unwrap();
    on_target.batch_execute("DELETE FROM shop.clicks").await.unwrap();
    on_target.batch_execute(damage).await.unwrap();
    let point = watch.finish().await.unwrap().expect("the source is fenced");
    assert!(point.comparison.contains("nobody wrote to"), "{}", point.comparison);
    assert_eq!((point.uncompared.as_slice(), differing(&point)), (&["shop.clicks".to_owned()][..], vec!["rates"]));
}
