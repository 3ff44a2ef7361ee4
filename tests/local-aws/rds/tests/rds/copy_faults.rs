//! What is planned against native replication strikes the copy at its moment.

use std::time::Duration;

use local_aws_rds::{CopyFault, PlannedFault, Statement};
use serde_json::{Value, json};
use tokio_postgres::Client;

use crate::region::{Region, text, wait_until};
use crate::seeds::{conninfo, endpoint, reboot, source};

fn in_app(sql: &str) -> Statement {
    Statement { database: "app".to_owned(), sql: sql.to_owned() }
}

/// A copy of the instance `source` of 16, with a fault.
async fn copy_with(region: &Region, fault: CopyFault) -> Client {
    let group = source(region, 16).await;
    region.rds.plan("source", PlannedFault::OfCopy(fault)).await.unwrap();
    region.snapshot("source", "now").await;
    region.restore("copy", "now", json!({ "DBParameterGroupName": group })).await;
    let copy = region.master("copy").await;
    copy.batch_execute("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots").await.unwrap();
    copy
}

/// Statements for a subscription that is not enabled and begins at a position.
async fn subscribe(region: &Region, copy: &Client, begin: &str) -> String {
    let conninfo = conninfo(region, copy, &endpoint("source")).await;
    format!(
        "BEGIN;
         CREATE SUBSCRIPTION s CONNECTION '{conninfo}' PUBLICATION p
         WITH (slot_name = 's', create_slot = false, copy_data = false, enabled = false, run_as_owner = true);
         SELECT pg_replication_origin_advance('pg_' || oid, '{begin}') FROM pg_subscription WHERE subname = 's';
         COMMIT"
    )
}

/// Everything that the source has committed so far.
async fn now(region: &Region) -> String {
    text(&region.master("source").await, "SELECT pg_current_wal_insert_lsn()").await
}

#[tokio::test]
async fn somebody_may_write_on_a_copy_before_anybody_looks() {
    let region = Region::new();

    let copy = copy_with(&region, CopyFault::Write(in_app("INSERT INTO t VALUES (7)"))).await;

    assert_eq!(text(&copy, "SELECT string_agg(id::text, ' ' ORDER BY id) FROM t").await, "1 7");
    assert_eq!(text(&region.master("source").await, "SELECT count(*) FROM t").await, "1");
}

#[tokio::test]
async fn a_copy_may_have_no_workers_for_a_subscription() {
    let region = Region::new();
    let copy = copy_with(&region, CopyFault::NoReplicationWorkers).await;
    reboot(&region, "copy").await;

    let copy_again = region.master("copy").await;
    let begin = now(&region).await;
    let subscribe = subscribe(&region, &copy_again, &begin).await;
    copy_again.batch_execute(&format!("{subscribe}; ALTER SUBSCRIPTION s ENABLE")).await.unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;

    assert!(copy.is_closed());
    assert_eq!(text(&copy_again, "SHOW max_logical_replication_workers").await, "0");
    assert_eq!(text(&copy_again, "SELECT count(pid) FROM pg_stat_subscription").await, "0");
}

#[tokio::test]
async fn a_copy_may_crash_when_its_origin_has_moved() {
    let region = Region::new();
    let copy = copy_with(&region, CopyFault::DiesAfterAdvance).await;
    let started = text(&copy, "SELECT pg_postmaster_start_time()").await;
    let begin = now(&region).await;
    let subscribe = subscribe(&region, &copy, &begin).await;

    copy.batch_execute(&subscribe).await.unwrap();

    wait_until("the connection is gone", async || copy.is_closed()).await;
    wait_until("the server is back", async || region.try_connect("copy", "boss", "app").await.is_ok()).await;
    let copy = region.master("copy").await;
    assert_ne!(text(&copy, "SELECT pg_postmaster_start_time()").await, started);
    let kept = "SELECT remote_lsn FROM pg_replication_origin_status";
    assert_eq!(text(&copy, kept).await, begin, "an advance in the transaction of CREATE SUBSCRIPTION is kept");
    copy.batch_execute("ALTER SUBSCRIPTION s ENABLE").await.unwrap();
    region.master("source").await.batch_execute("INSERT INTO t VALUES (2)").await.unwrap();
    wait_until("the row is there", async || text(&copy, "SELECT count(*) FROM t").await == "2").await;
}

#[tokio::test]
async fn a_row_may_be_in_the_way_of_a_later_one() {
    let region = Region::new();
    let copy = copy_with(&region, CopyFault::Conflict(in_app("INSERT INTO t VALUES (5)"))).await;
    let begin = now(&region).await;
    let subscribe = subscribe(&region, &copy, &begin).await;

    copy.batch_execute(&format!("{subscribe}; ALTER SUBSCRIPTION s ENABLE")).await.unwrap();
    wait_until("the row is there", async || text(&copy, "SELECT count(*) FROM t WHERE id = 5").await == "1").await;
    region.master("source").await.batch_execute("INSERT INTO t VALUES (5)").await.unwrap();

    let errors = "SELECT apply_error_count > 0 FROM pg_stat_subscription_stats";
    wait_until("the worker fails", async || text(&copy, errors).await == "t").await;
}

#[tokio::test]
async fn the_slot_of_a_run_may_be_lost_while_its_copy_is_upgraded() {
    let region = Region::new();
    let group = source(&region, 16).await;
    let original = region.master("source").await;
    let slots =
        "SELECT pg_drop_replication_slot('s'); SELECT pg_create_logical_replication_slot('pgleap_1_copy', 'pgoutput')";
    original.batch_execute(slots).await.unwrap();
    region.rds.plan("source", PlannedFault::OfCopy(CopyFault::SlotLost)).await.unwrap();
    region.snapshot("source", "now").await;
    region.restore("copy", "now", json!({ "DBParameterGroupName": group })).await;
    let drop = "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots";
    region.master("copy").await.batch_execute(drop).await.unwrap();
    let status = "SELECT wal_status FROM pg_replication_slots";
    let before = text(&original, status).await;

    let upgrade = json!({ "DBInstanceIdentifier": "copy", "EngineVersion": "17.11",
        "DBParameterGroupName": "default.postgres17", "AllowMajorVersionUpgrade": true, "ApplyImmediately": true });
    region.call_when_ready("ModifyDBInstance", upgrade).await;
    region.wait_for_instance("copy", "upgraded", |db: &Value| db["EngineVersion"] == "17.11").await;

    assert_eq!(before, "reserved");
    wait_until("the slot is lost", async || text(&original, status).await == "lost").await;
    wait_until("others may keep WAL again", async || text(&original, "SHOW max_slot_wal_keep_size").await == "-1")
        .await;
}
