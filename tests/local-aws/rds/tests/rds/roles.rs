//! The master user is no superuser, and what RDS adds to PostgreSQL's roles works.

use serde_json::json;

use crate::region::{PASSWORD, Region, text, wait_until};

async fn a_master_user_is_what_rds_makes_of_it(version: &str) {
    let region = Region::new();
    region.create("db", version, json!({})).await;
    let master = region.master("db").await;

    let query =
        "SELECT string_agg(concat_ws(' ', datname, pg_get_userbyid(datdba)), ', ' ORDER BY datname) FROM pg_database";
    assert_eq!(
        text(&master, query).await,
        "app boss, postgres boss, rdsadmin rdsadmin, template0 rdsadmin, template1 boss"
    );
    let query = "SELECT concat_ws(' ', rolsuper, rolcreaterole, rolcreatedb) FROM pg_roles WHERE rolname = 'boss'";
    assert_eq!(text(&master, query).await, "f t t");
    let closed = region.try_connect("db", "boss", "rdsadmin").await.unwrap_err();
    assert!(closed.contains("pg_hba.conf rejects connection"), "{closed}");
    assert!(master.batch_execute("ALTER SYSTEM SET work_mem = '5MB'").await.is_err());
    master.batch_execute("CREATE TABLE t (id int); REVOKE CREATE ON SCHEMA public FROM PUBLIC").await.unwrap();
}

#[tokio::test]
async fn a_master_user_of_13_is_what_rds_makes_of_it() {
    a_master_user_is_what_rds_makes_of_it("13").await;
}

#[tokio::test]
async fn a_master_user_of_18_is_what_rds_makes_of_it() {
    a_master_user_is_what_rds_makes_of_it("18").await;
    // From 15 on the right to set it can be granted.
    let region = Region::new();
    region.create("db", "18", json!({})).await;
    let master = region.master("db").await;
    master.batch_execute("SET session_replication_role = replica").await.unwrap();
    master.batch_execute("CREATE ROLE other; GRANT rds_superuser TO other").await.unwrap();
    master.batch_execute("GRANT SET ON PARAMETER session_replication_role TO other").await.unwrap();
}

async fn granting_rds_replication_lets_a_login_replicate(version: &str) {
    let region = Region::new();
    let group = json!({ "DBParameterGroupName": "logical", "DBParameterGroupFamily": format!("postgres{version}"), "Description": "d" });
    region.call("CreateDBParameterGroup", group).await;
    let logical = json!({ "DBParameterGroupName": "logical", "Parameters": [
        { "ParameterName": "rds.logical_replication", "ParameterValue": "1", "ApplyMethod": "pending-reboot" }] });
    region.call("ModifyDBParameterGroup", logical).await;
    region.create("db", version, json!({ "DBParameterGroupName": "logical" })).await;
    let master = region.master("db").await;
    let login = format!("CREATE ROLE dms LOGIN PASSWORD '{PASSWORD}'");
    master.batch_execute(&login).await.unwrap();
    let make_slot = "SELECT pg_create_logical_replication_slot('s', 'test_decoding')";
    let before = region.try_connect("db", "dms", "app").await.unwrap().simple_query(make_slot).await;

    master.batch_execute("GRANT rds_replication TO dms").await.unwrap();
    wait_until("the login replicates", async || {
        let dms = region.try_connect("db", "dms", "app").await.unwrap();
        dms.simple_query(make_slot).await.is_ok()
    })
    .await;
    master.batch_execute("REVOKE rds_replication FROM dms").await.unwrap();
    wait_until("the login replicates no more", async || {
        text(&master, "SELECT rolreplication FROM pg_roles WHERE rolname = 'dms'").await == "f"
    })
    .await;

    assert!(before.is_err());
}

#[tokio::test]
async fn granting_rds_replication_lets_a_login_replicate_on_13() {
    granting_rds_replication_lets_a_login_replicate("13").await;
}

#[tokio::test]
async fn granting_rds_replication_lets_a_login_replicate_on_18() {
    granting_rds_replication_lets_a_login_replicate("18").await;
}

/// What PostgreSQL leaves to superusers; scripts/setup-postgres.py has the same list.
const EXTENSIONS: &[&str] = &[
    "amcheck",
    "bloom",
    "dblink",
    "dict_xsyn",
    "earthdistance",
    "intagg",
    "pg_buffercache",
    "pg_freespacemap",
    "pg_prewarm",
    "pg_stat_statements",
    "pg_visibility",
    "pgrowlocks",
    "pgstattuple",
    "postgres_fdw",
    "sslinfo",
];

async fn the_master_user_creates_the_extensions_of_rds(version: &str) {
    let region = Region::new();
    region.create("db", version, json!({})).await;
    let master = region.master("db").await;

    for extension in EXTENSIONS {
        let sql = format!("CREATE EXTENSION {extension} CASCADE");
        master.batch_execute(&sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }
    let query =
        "SELECT string_agg(DISTINCT extowner::regrole::text, ', ') FROM pg_extension WHERE extname <> 'plpgsql'";
    assert_eq!(text(&master, query).await, "boss");
    // 13 lets nobody but a superuser drop an access method, which bloom is.
    for extension in EXTENSIONS.iter().filter(|name| version != "13" || **name != "bloom") {
        master.batch_execute(&format!("DROP EXTENSION {extension}")).await.unwrap();
    }
    for superusers_only in ["file_fdw", "pageinspect"] {
        let refused = master.batch_execute(&format!("CREATE EXTENSION {superusers_only}")).await.unwrap_err();
        assert!(format!("{refused:?}").contains("permission denied to create extension"), "{refused:?}");
    }
}

#[tokio::test]
async fn the_master_user_of_13_creates_the_extensions_of_rds() {
    the_master_user_creates_the_extensions_of_rds("13").await;
}

#[tokio::test]
async fn the_master_user_of_18_creates_the_extensions_of_rds() {
    the_master_user_creates_the_extensions_of_rds("18").await;
}
