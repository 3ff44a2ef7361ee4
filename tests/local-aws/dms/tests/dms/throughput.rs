//! A measurement, not a test: how long a load of pgbench's size takes beside writing clients.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::support::{Rig, Wishes};
use serde_json::json;

const SCHEMA: &str = "
CREATE TABLE app.branches (bid int PRIMARY KEY, bbalance int, filler char(88));
CREATE TABLE app.accounts (aid int PRIMARY KEY, bid int, abalance int, filler char(84));
CREATE TABLE app.history (tid int, bid int, aid int, delta int, mtime timestamp, filler char(22));
CREATE TABLE app.documents (id int PRIMARY KEY, body text, data jsonb, raw bytea);";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement of minutes; run it by hand"]
async fn three_hundred_megabytes_beside_a_few_hundred_transactions_a_second() {
    let rig = Rig::start("throughput", 13, 18, SCHEMA, Wishes::default()).await;
    rig.on_source
        .batch_execute(
            "INSERT INTO app.branches SELECT i, 0 FROM generate_series(1, 23) i;
             INSERT INTO app.accounts SELECT i, 1 + i % 23, 0, '' FROM generate_series(1, 2300000) i;
             INSERT INTO app.documents SELECT i, repeat(md5(i::text), 1000), jsonb_build_object('t', repeat(md5(i::text), 100)),
               decode(repeat(md5(i::text), 500), 'hex') FROM generate_series(1, 1000) i; ANALYZE;",
        )
        .await
        .unwrap();
    let arn = rig.make_task(json!({"FullLoadSettings": {"StopTaskCachedChangesApplied": true}})).await;
    let (is_over, transactions) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let mut writers = Vec::new();
    for number in 0..4 {
        let client = rig.source.admin("app").await.unwrap();
        let (is_over, transactions) = (Arc::clone(&is_over), Arc::clone(&transactions));
        writers.push(tokio::spawn(async move {
            let mut ticks = tokio::time::interval(Duration::from_millis(10));
            while !is_over.load(Ordering::Relaxed) {
                ticks.tick().await;
                let row = transactions.fetch_add(1, Ordering::Relaxed) * 7919 % 2_300_000;
                let sql = format!(
                    "BEGIN; UPDATE app.accounts SET abalance = abalance + 1 WHERE aid = {row};
                     UPDATE app.branches SET bbalance = bbalance + 1 WHERE bid = {number} + 1;
                     INSERT INTO app.history VALUES (1, {number}, {row}, 1, now()); COMMIT;"
                );
                client.batch_execute(&sql).await.unwrap();
            }
        }));
    }

    let began = Instant::now();
    rig.start_task(&arn, "start-replication").await;
    while rig.task().await["Status"] != "stopped" {
        assert!(began.elapsed() < Duration::from_secs(300), "{}", rig.task().await);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let loaded = began.elapsed();
    let beside = transactions.load(Ordering::Relaxed);
    rig.start_task(&arn, "resume-processing").await;
    rig.wait_for_task("running").await;
    rig.drain().await;
    let caught_up = began.elapsed();
    is_over.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await.unwrap();
    }
    let stopped_writing = Instant::now();
    rig.drain().await;

    let size: i64 = rig.on_source.query_one("SELECT sum(pg_total_relation_size(oid))::int8 FROM pg_class WHERE relnamespace = 'app'::regnamespace AND relkind = 'r'", &[]).await.unwrap().get(0);
    eprintln!(
        "{} MB: loaded and cached changes applied in {loaded:.1?} beside {beside} transactions, caught up after {caught_up:.1?}, last drain {:.0?}",
        size / 1_000_000,
        stopped_writing.elapsed()
    );
    rig.assert_no_exceptions().await;
    rig.assert_equal().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement of minutes; run it by hand"]
async fn thousands_of_small_tables() {
    let rig = Rig::start("tables", 13, 18, "", Wishes::default()).await;
    for client in [&rig.on_source, &rig.on_target] {
        for part in 0..20 {
            client
                .batch_execute(&format!(
                    "DO $$ BEGIN FOR i IN {part} * 100 .. {part} * 100 + 99 LOOP EXECUTE format('CREATE TABLE app.t%s (id int PRIMARY KEY, body text)', i);
                     EXECUTE format('GRANT ALL ON app.t%s TO dms', i); END LOOP; END $$"
                ))
                .await
                .unwrap();
        }
    }
    let arn = rig.make_task(json!({"FullLoadSettings": {"StopTaskCachedChangesApplied": true}})).await;

    let began = Instant::now();
    rig.start_task(&arn, "start-replication").await;
    while rig.task().await["Status"] != "stopped" {
        assert!(began.elapsed() < Duration::from_secs(300), "{}", rig.task().await);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    eprintln!("2000 tables in {:.1?}", began.elapsed());
}
