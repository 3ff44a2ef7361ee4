//! The master user is no superuser, and what RDS adds to PostgreSQL's roles works.

use local_aws_rds::PlannedFault;
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

const SUBSCRIBE: &str = "CREATE SUBSCRIPTION back CONNECTION 'host=db.example.com user=run password=p' PUBLICATION p
    WITH (connect = false, enabled = false, create_slot = false, slot_name = 'x')";

/// Of a login `run` that the master user made, which may also create objects in the database.
async fn make_run_login(region: &Region, version: &str) -> tokio_postgres::Client {
    region.create("db", version, json!({})).await;
    let master = region.master("db").await;
    let login = format!("CREATE ROLE run LOGIN PASSWORD '{PASSWORD}'; GRANT CREATE ON DATABASE app TO run");
    master.batch_execute(&login).await.unwrap();
    master
}

async fn a_member_of_rds_superuser_creates_a_subscription_and_keeps_it(version: &str) {
    let region = Region::new();
    let master = make_run_login(&region, version).await;
    let run = region.try_connect("db", "run", "app").await.unwrap();
    let before = run.batch_execute(SUBSCRIBE).await;

    master.batch_execute("GRANT rds_superuser TO run").await.unwrap();
    wait_until("an open session creates a subscription", async || run.batch_execute(SUBSCRIBE).await.is_ok()).await;
    master.batch_execute("REVOKE rds_superuser FROM run").await.unwrap();
    let is_superuser = "SELECT rolsuper OR rolreplication FROM pg_roles WHERE rolname = 'run'";
    wait_until("the attributes are gone", async || text(&master, is_superuser).await == "f").await;
    let another = run.batch_execute(&SUBSCRIBE.replace("back", "another")).await;

    assert!(before.is_err() && another.is_err());
    for alter in ["ENABLE", "DISABLE", "SET (slot_name = NONE)"] {
        run.batch_execute(&format!("ALTER SUBSCRIPTION back {alter}")).await.unwrap();
    }
    run.batch_execute("DROP SUBSCRIPTION back").await.unwrap();
    assert_eq!(text(&master, "SELECT rolsuper FROM pg_roles WHERE rolname = 'boss'").await, "f");
    master.batch_execute("REVOKE CREATE ON DATABASE app FROM run; DROP ROLE run").await.unwrap();
}

#[tokio::test]
async fn a_member_of_rds_superuser_creates_a_subscription_and_keeps_it_on_13() {
    a_member_of_rds_superuser_creates_a_subscription_and_keeps_it("13").await;
}

#[tokio::test]
async fn a_member_of_rds_superuser_creates_a_subscription_and_keeps_it_on_15() {
    a_member_of_rds_superuser_creates_a_subscription_and_keeps_it("15").await;
}

#[tokio::test]
async fn a_member_of_rds_superuser_creates_a_subscription_on_18_without_being_a_superuser() {
    let region = Region::new();
    let master = make_run_login(&region, "18").await;
    let run = region.try_connect("db", "run", "app").await.unwrap();
    let before = run.batch_execute(SUBSCRIBE).await;

    master.batch_execute("GRANT rds_superuser TO run").await.unwrap();
    run.batch_execute(SUBSCRIBE).await.unwrap();
    let is_replicating = "SELECT rolreplication FROM pg_roles WHERE rolname = 'run'";
    wait_until("the memberships have been looked at", async || text(&master, is_replicating).await == "t").await;
    let is_superuser = text(&master, "SELECT rolsuper FROM pg_roles WHERE rolname = 'run'").await;
    master.batch_execute("REVOKE rds_superuser FROM run").await.unwrap();
    let another = run.batch_execute(&SUBSCRIBE.replace("back", "another")).await;

    assert!(before.is_err() && another.is_err());
    assert_eq!(is_superuser, "f");
    run.batch_execute("ALTER SUBSCRIPTION back SET (slot_name = NONE); DROP SUBSCRIPTION back").await.unwrap();
}

#[tokio::test]
async fn a_lent_superuser_is_taken_back_after_a_crash_and_of_members_of_a_member_too() {
    let region = Region::new();
    let master = make_run_login(&region, "13").await;
    master.batch_execute("CREATE ROLE team; GRANT team TO run; GRANT rds_superuser TO team").await.unwrap();
    let is_superuser = async || {
        let master = region.try_connect("db", "boss", "app").await.ok()?;
        Some(text(&master, "SELECT rolsuper FROM pg_roles WHERE rolname = 'run'").await == "t")
    };
    wait_until("a member of a member is a superuser", async || is_superuser().await == Some(true)).await;
    region.admin("db").await.batch_execute("CREATE ROLE made_by_a_test LOGIN SUPERUSER").await.unwrap();

    region.rds.plan("db", PlannedFault::Restart).await.unwrap();
    wait_until("the server is back", async || is_superuser().await == Some(true)).await;
    // As a revocation that comes before the first look at the memberships would find nothing to take back.
    wait_until("a new member is seen", async || {
        let Ok(master) = region.try_connect("db", "boss", "app").await else { return false };
        let new = "CREATE ROLE witness LOGIN IN ROLE rds_superuser";
        let _it_is_there_from_the_second_time_on = master.batch_execute(new).await;
        text(&master, "SELECT rolsuper FROM pg_roles WHERE rolname = 'witness'").await == "t"
    })
    .await;
    region.master("db").await.batch_execute("REVOKE rds_superuser FROM team").await.unwrap();

    wait_until("it is none any more", async || is_superuser().await == Some(false)).await;
    let master = region.master("db").await;
    assert_eq!(text(&master, "SELECT rolsuper FROM pg_roles WHERE rolname = 'made_by_a_test'").await, "t");
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
