//! What native replication needs of a restored instance: where it ends, whom it reaches, what its master user may do.

use local_aws_rds::{CopyFault, PlannedFault};
use serde_json::json;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use crate::region::{PASSWORD, Region, text, wait_until};

const SEED: &str = "SELECT rds_tools.logical_seed_lsn()";
/// As text, so that NULL has a form.
const SEED_OR_NULL: &str = "SELECT coalesce(rds_tools.logical_seed_lsn()::text, 'NULL')";
const TOOLS: &str = "CREATE EXTENSION rds_tools";

pub(crate) fn endpoint(id: &str) -> String {
    format!("{id}.cpgleaplocal.eu-west-1.rds.amazonaws.com")
}

pub(crate) async fn conninfo(region: &Region, client: &Client, host: &str) -> String {
    let authority = text(client, "SHOW ssl_ca_file").await;
    let port = region.port;
    format!(
        "host={host} port={port} dbname=app user=run password={PASSWORD} sslmode=verify-full sslrootcert={authority}"
    )
}

/// A source with a table, its publication and a slot.
pub(crate) async fn source(region: &Region, major: u16) -> String {
    let group = region.logical_group(major).await;
    region.create("source", &major.to_string(), json!({ "DBParameterGroupName": group })).await;
    let master = region.master("source").await;
    let sql = format!(
        "CREATE TABLE t (id int PRIMARY KEY); CREATE PUBLICATION p FOR TABLE t;
         CREATE ROLE run LOGIN PASSWORD '{PASSWORD}'; GRANT rds_replication TO run; GRANT SELECT ON t TO run"
    );
    master.batch_execute(&sql).await.unwrap();
    master.batch_execute("SELECT pg_create_logical_replication_slot('s', 'pgoutput')").await.unwrap();
    master.batch_execute("INSERT INTO t VALUES (1)").await.unwrap();
    group
}

pub(crate) async fn reboot(region: &Region, id: &str) {
    region.call_when_ready("RebootDBInstance", json!({ "DBInstanceIdentifier": id })).await;
    region.wait_for_instance(id, "rebooting", |db| db["DBInstanceStatus"] == "rebooting").await;
    region.available(id).await;
}

#[tokio::test]
async fn an_upgraded_copy_subscribes_to_its_source_from_its_seed() {
    let region = Region::new();
    let group = source(&region, 16).await;
    region.snapshot("source", "now").await;
    region.master("source").await.batch_execute("INSERT INTO t VALUES (2)").await.unwrap();
    region.restore("copy", "now", json!({ "DBParameterGroupName": group })).await;

    let copy = region.master("copy").await;
    copy.batch_execute(TOOLS).await.unwrap();
    let seed = text(&copy, SEED).await;
    assert_eq!(text(&copy, "SELECT pg_last_wal_replay_lsn() IS NULL").await, "t", "the first start is over");
    assert_eq!(text(&copy, &format!("SELECT '{seed}' < pg_current_wal_lsn()")).await, "t");
    copy.batch_execute("SELECT pg_drop_replication_slot('s')").await.unwrap();
    reboot(&region, "copy").await;
    assert_eq!(text(&region.master("copy").await, SEED).await, seed, "it outlives a reboot");
    let group = region.logical_group(17).await;
    let upgrade = json!({ "DBInstanceIdentifier": "copy", "EngineVersion": "17.11", "DBParameterGroupName": group,
        "AllowMajorVersionUpgrade": true, "ApplyImmediately": true });
    region.call_when_ready("ModifyDBInstance", upgrade).await;
    let is_upgraded = |db: &serde_json::Value| db["EngineVersion"] == "17.11" && db["DBInstanceStatus"] == "available";
    region.wait_for_instance("copy", "upgraded", is_upgraded).await;

    let copy = region.master("copy").await;
    assert_eq!(text(&copy, SEED_OR_NULL).await, "NULL", "an upgrade ends it");
    let conninfo = conninfo(&region, &copy, &endpoint("source")).await;
    let subscribe = format!(
        "CREATE SUBSCRIPTION s CONNECTION '{conninfo}' PUBLICATION p
         WITH (slot_name = 's', create_slot = false, copy_data = false, enabled = false, run_as_owner = true);
         SELECT pg_replication_origin_advance('pg_' || oid, '{seed}') FROM pg_subscription WHERE subname = 's'"
    );
    copy.batch_execute(&format!("BEGIN; {subscribe}; COMMIT; ALTER SUBSCRIPTION s ENABLE")).await.unwrap();
    region.master("source").await.batch_execute("INSERT INTO t VALUES (3)").await.unwrap();
    let rows = "SELECT string_agg(id::text, ' ' ORDER BY id) FROM t";
    wait_until("the copy has what came after its seed", async || text(&copy, rows).await == "1 2 3").await;
}

#[tokio::test]
async fn the_master_user_creates_rds_tools_on_every_major() {
    for major in 13..=18 {
        let region = Region::new();
        region.create("db", &major.to_string(), json!({})).await;
        let master = region.master("db").await;

        master.batch_execute(TOOLS).await.unwrap_or_else(|error| panic!("{major}: {error:?}"));

        assert_eq!(text(&master, SEED_OR_NULL).await, "NULL", "{major}: nothing was restored");
        master.batch_execute("DROP EXTENSION rds_tools").await.unwrap();
    }
}

#[tokio::test]
async fn a_seed_may_be_absent_and_its_function_too() {
    let region = Region::new();
    region.create("db", "13", json!({})).await;
    region.snapshot("db", "now").await;

    region.rds.plan("db", PlannedFault::OfCopy(CopyFault::SeedNull)).await.unwrap();
    region.restore("null", "now", json!({})).await;
    region.rds.plan("db", PlannedFault::OfCopy(CopyFault::NoSeedFunction)).await.unwrap();
    region.restore("without", "now", json!({})).await;
    region.restore("whole", "now", json!({})).await;

    for (id, is_null) in [("null", "t"), ("whole", "f")] {
        let master = region.master(id).await;
        master.batch_execute(TOOLS).await.unwrap();
        assert_eq!(text(&master, "SELECT rds_tools.logical_seed_lsn() IS NULL").await, is_null, "{id}");
    }
    let refused = region.master("without").await.batch_execute(TOOLS).await.unwrap_err();
    assert_eq!(refused.code(), Some(&SqlState::FEATURE_NOT_SUPPORTED), "{refused:?}");
}

/// Everything that may be asked of origins, in a transaction that is rolled back.
const ORIGINS: &str = "BEGIN;
    SELECT pg_replication_origin_create('o'), pg_replication_origin_oid('o');
    SELECT pg_replication_origin_advance('o', '0/10'), pg_replication_origin_progress('o', false);
    SELECT * FROM pg_replication_origin_status; SELECT pg_show_replication_origin_status();
    SELECT pg_replication_origin_drop('o'); ROLLBACK";

async fn may_use_origins(region: &Region, database: &str) -> Result<(), tokio_postgres::Error> {
    region.try_connect("db", "boss", database).await.unwrap().batch_execute(ORIGINS).await
}

#[tokio::test]
async fn rds_superuser_may_use_replication_origins_from_14_on() {
    let region = Region::new();
    region.create("db", "13", json!({})).await;
    let before = may_use_origins(&region, "app").await;
    let upgrade = json!({ "DBInstanceIdentifier": "db", "EngineVersion": "14", "AllowMajorVersionUpgrade": true,
        "ApplyImmediately": true });
    region.call_when_ready("ModifyDBInstance", upgrade).await;
    region.wait_for_instance("db", "upgrading", |db| db["DBInstanceStatus"] == "upgrading").await;
    region.settled("db").await;
    let upgraded = [may_use_origins(&region, "app").await, may_use_origins(&region, "postgres").await];

    assert_eq!(before.unwrap_err().code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE));
    upgraded.into_iter().for_each(|outcome| outcome.unwrap());
}

#[tokio::test]
async fn rds_superuser_may_use_replication_origins_in_every_database_of_18() {
    let region = Region::new();
    region.create("db", "18", json!({})).await;
    region.master("db").await.batch_execute("CREATE DATABASE later").await.unwrap();

    for database in ["app", "postgres", "later"] {
        may_use_origins(&region, database).await.unwrap_or_else(|error| panic!("{database}: {error:?}"));
    }
}
