//! The observer at a drain point made by hand: two servers that hold the same, and then do not.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::Bench;
use local_aws_postgres::{Cluster, Shutdown};
use rehearsal::observer::{AT_DRAIN_POINT, Access, DrainPoint, DrainWatch};
use tokio::sync::{mpsc, oneshot};

fn access(cluster: &Cluster) -> Access {
    let mut config = cluster.admin_config();
    config.dbname("shop");
    Arc::new(move || Some(config.clone()))
}

/// What the host of the functions does at OPEN: hand over the call, and wait until the observer lets it go.
async fn drained(source: &Cluster, target: &Cluster) -> DrainWatch {
    shut(source).await;
    shut(target).await;
    let (watch, calls) = watch_for(source, target).await;
    let (call, released) = oneshot::channel::<()>();
    calls.send(call).unwrap();
    let released = tokio::time::timeout(Duration::from_secs(20), released).await;
    assert!(released.is_ok(), "the observer never let the call go");
    watch
}

type Calls = mpsc::UnboundedSender<oneshot::Sender<()>>;

async fn watch_for(source: &Cluster, target: &Cluster) -> (DrainWatch, Calls) {
    let (hold, calls) = mpsc::unbounded_channel();
    (DrainWatch::start(access(source), access(target), target.major(), calls).await.unwrap(), hold)
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
    set_grants(cluster, "ARRAY[makeaclitem(10, 10, 'CONNECT', false)]").await;
}

async fn open(cluster: &Cluster) {
    set_grants(cluster, "NULL").await;
}

async fn set_grants(cluster: &Cluster, grants: &str) {
    let admin = cluster.admin("shop").await.unwrap();
    let sql = format!("UPDATE pg_database SET datacl = {grants} WHERE datname = 'shop'");
    admin.batch_execute(&sql).await.unwrap();
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
    open(&source).await;
    holder.batch_execute(hold).await.unwrap();
    crash(&target, &watch).await;
    assert!(watch.finish().await.unwrap().is_none());

    // Both sides are shut: everything is compared again.
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
    let (watch, _calls) = watch_for(&source, &target).await;
    let on_source = source.admin("shop").await.unwrap();
    on_source.batch_execute("UPDATE shop.clicks SET seen = seen + 1; SELECT pg_sleep(1.1); SELECT 1").await.unwrap();
    drop(on_source);
    open(&target).await;
    let on_target = target.admin("shop").await.unwrap();
    on_target.batch_execute("DELETE FROM shop.clicks").await.unwrap();
    on_target.batch_execute(damage).await.unwrap();
    let point = watch.finish().await.unwrap().expect("the source is fenced");
    assert!(point.comparison.contains("nobody wrote to"), "{}", point.comparison);
    assert_eq!((point.uncompared.as_slice(), differing(&point)), (&["shop.clicks".to_owned()][..], vec!["rates"]));
}

#[tokio::test]
async fn a_call_that_comes_when_the_source_is_open_again_is_let_go_and_not_observed() {
    let bench = Bench::new();
    let source = bench.source(16).await;
    let files = common::stop(&source).await;
    let target = bench.upgraded(&source, 17).await;
    source.start(files).await.unwrap();
    shut(&target).await;
    let (watch, calls) = watch_for(&source, &target).await;
    let (call, released) = oneshot::channel();

    calls.send(call).unwrap();

    assert!(tokio::time::timeout(Duration::from_secs(20), released).await.is_ok(), "it was not let go");
    assert!(watch.finish().await.unwrap().is_none());
}
