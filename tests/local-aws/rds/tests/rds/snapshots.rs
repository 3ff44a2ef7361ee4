//! Snapshots of a database that is written to, and what a restore brings and does not bring.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use serde_json::json;

use crate::region::{PASSWORD, Region, text, wait_until};

#[tokio::test]
async fn a_snapshot_under_writes_restores_to_a_consistent_copy_with_roles_and_slots() {
    let region = Region::new();
    let group =
        json!({ "DBParameterGroupName": "logical", "DBParameterGroupFamily": "postgres13", "Description": "d" });
    region.call("CreateDBParameterGroup", group).await;
    let logical = json!({ "DBParameterGroupName": "logical", "Parameters": [
        { "ParameterName": "rds.logical_replication", "ParameterValue": "1", "ApplyMethod": "pending-reboot" }] });
    region.call("ModifyDBParameterGroup", logical).await;
    let settings = json!({ "DBParameterGroupName": "logical", "DeletionProtection": true, "MultiAZ": true,
        "MonitoringInterval": 60, "CopyTagsToSnapshot": true, "Tags": [{ "Key": "team", "Value": "shop" }] });
    region.create("source", "13", settings).await;
    let master = region.master("source").await;
    master.batch_execute("CREATE TABLE written (id bigint PRIMARY KEY)").await.unwrap();
    master
        .batch_execute(&format!("CREATE ROLE app LOGIN PASSWORD '{PASSWORD}'; GRANT ALL ON written TO app"))
        .await
        .unwrap();
    master.batch_execute("SELECT pg_create_logical_replication_slot('dms', 'test_decoding')").await.unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let acknowledged = Arc::new(AtomicI64::new(0));
    let app = region.try_connect("source", "app", "app").await.unwrap();
    let writer = tokio::spawn(write(app, stop.clone(), acknowledged.clone()));
    wait_until("rows are written", async || acknowledged.load(Ordering::Acquire) > 200).await;

    let before = acknowledged.load(Ordering::Acquire);
    let snapshot = region.snapshot("source", "copy-me").await;
    let after = acknowledged.load(Ordering::Acquire);
    let input =
        json!({ "DBInstanceIdentifier": "copy", "DBSnapshotIdentifier": "copy-me", "DBParameterGroupName": "logical" });
    region.call("RestoreDBInstanceFromDBSnapshot", input).await;
    let copy = region.available("copy").await;
    stop.store(true, Ordering::Release);
    writer.await.unwrap();

    let app = region.try_connect("copy", "app", "app").await.unwrap();
    let rows: i64 = text(&app, "SELECT count(*) FROM written").await.parse().unwrap();
    let last: i64 = text(&app, "SELECT max(id) FROM written").await.parse().unwrap();
    assert!(rows == last && rows >= before && rows <= after + 1, "{before} <= {rows} <= {after}, last {last}");
    assert_eq!(text(&app, "SELECT slot_name FROM pg_replication_slots").await, "dms", "the slot comes along");
    assert_eq!(
        text(&app, "SHOW wal_level").await,
        "logical",
        "a group given to the restore is read by the first start"
    );
    assert_eq!(snapshot["TagList"], json!([{ "Key": "team", "Value": "shop" }]));
    assert_eq!(copy["TagList"], snapshot["TagList"], "without tags of its own it takes the snapshot's");
    assert_eq!(copy["EngineVersion"], "13.23");
    for (member, dropped) in
        [("DeletionProtection", json!(false)), ("MultiAZ", json!(false)), ("MonitoringInterval", json!(0))]
    {
        assert_eq!(copy[member], dropped, "{member} is not carried");
    }
    assert_ne!(copy["DbiResourceId"], region.instance("source").await["DbiResourceId"]);
    let log = json!({ "DBInstanceIdentifier": "copy", "FilenameContains": "error/postgresql.log" });
    let files = region.call("DescribeDBLogFiles", log).await;
    let name = files["DescribeDBLogFiles"][0]["LogFileName"].clone();
    let input = json!({ "DBInstanceIdentifier": "copy", "LogFileName": name, "Marker": "0" });
    let text = region.call("DownloadDBLogFilePortion", input).await["LogFileData"].as_str().unwrap().to_owned();
    assert!(text.contains("redo starts at") && text.contains("redo done at"), "{text}");
}

async fn write(client: tokio_postgres::Client, stop: Arc<AtomicBool>, acknowledged: Arc<AtomicI64>) {
    let mut id = 0;
    while !stop.load(Ordering::Acquire) {
        id += 1;
        client.execute("INSERT INTO written VALUES ($1)", &[&id]).await.unwrap();
        acknowledged.store(id, Ordering::Release);
    }
}

#[tokio::test]
async fn snapshots_are_listed_by_instance_and_deleted() {
    let region = Region::new();
    region.create("db", "15", json!({})).await;
    region.snapshot("db", "first").await;
    let again = json!({ "DBInstanceIdentifier": "db", "DBSnapshotIdentifier": "first" });
    let again = region.try_call("CreateDBSnapshot", again).await;

    let listed =
        region.call("DescribeDBSnapshots", json!({ "DBInstanceIdentifier": "db", "SnapshotType": "manual" })).await;
    let deleted = region.call("DeleteDBSnapshot", json!({ "DBSnapshotIdentifier": "first" })).await;
    let gone = region.refusal("DescribeDBSnapshots", json!({ "DBSnapshotIdentifier": "first" })).await;
    let restore = json!({ "DBInstanceIdentifier": "x", "DBSnapshotIdentifier": "first" });

    assert!(matches!(again.unwrap_err().code.as_str(), "DBSnapshotAlreadyExists" | "InvalidDBInstanceState"));
    assert_eq!(listed["DBSnapshots"].as_array().unwrap().len(), 1);
    assert_eq!(deleted["DBSnapshot"]["Status"], "deleted");
    assert_eq!((gone.code.as_str(), gone.status), ("DBSnapshotNotFound", 404));
    assert_eq!(region.refusal("RestoreDBInstanceFromDBSnapshot", restore).await.code, "DBSnapshotNotFound");
}

#[tokio::test]
async fn a_restore_is_refused_where_rds_refuses_it() {
    let region = Region::new();
    region.create("db", "15", json!({})).await;
    region.snapshot("db", "first").await;
    let restore = |id: &str, more: serde_json::Value| {
        let mut input = json!({ "DBInstanceIdentifier": id, "DBSnapshotIdentifier": "first" });
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        input
    };
    let cases = [
        (restore("db", json!({})), "DBInstanceAlreadyExists"),
        (restore("x", json!({ "DBParameterGroupName": "default.postgres16" })), "InvalidParameterCombination"),
        (restore("x", json!({ "DBInstanceClass": "db.t2.micro" })), "InvalidParameterCombination"),
        (restore("x", json!({ "Engine": "mysql" })), "InvalidParameterCombination"),
    ];

    for (input, code) in cases {
        assert_eq!(region.refusal("RestoreDBInstanceFromDBSnapshot", input.clone()).await.code, code, "{input}");
    }
}
