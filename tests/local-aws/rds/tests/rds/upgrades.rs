//! Major upgrades: the real `pg_upgrade`, and everything that RDS puts in front of it.

use local_aws_rds::PlannedFault;
use serde_json::{Value, json};

use crate::region::{PASSWORD, Region, text};

fn upgrade(id: &str, version: &str) -> Value {
    json!({ "DBInstanceIdentifier": id, "EngineVersion": version, "AllowMajorVersionUpgrade": true, "ApplyImmediately": true })
}

async fn data_roles_and_passwords_survive(from: &str, to: &str, to_version: &str) {
    let mut region = Region::new();
    region.create("db", from, json!({})).await;
    let master = region.master("db").await;
    let setup = format!(
        "CREATE ROLE app LOGIN PASSWORD '{PASSWORD}'; CREATE SEQUENCE s START 41;
         CREATE TABLE t AS SELECT generate_series(1, 1000) AS id; GRANT SELECT ON t, s TO app; SELECT nextval('s')"
    );
    master.batch_execute(&setup).await.unwrap();

    region.call("ModifyDBInstance", upgrade("db", to)).await;
    let during = region.wait_for_instance("db", "upgrading", |db| db["DBInstanceStatus"] == "upgrading").await;
    let upgraded = region.settled("db").await;

    assert_eq!(during["EngineVersion"], from);
    assert_eq!((&upgraded["EngineVersion"], &upgraded["DBInstanceStatus"]), (&json!(to), &json!("available")));
    let app = region.try_connect("db", "app", "app").await.unwrap();
    assert_eq!(text(&app, "SELECT concat_ws(' ', count(*), (SELECT last_value FROM s)) FROM t").await, "1000 41");
    assert!(text(&app, "SHOW server_version").await.starts_with(to_version));
    let master = region.master("db").await;
    let newest = text(&master, "SELECT pg_has_role('boss', 'pg_maintain', 'member')").await;
    assert_eq!(newest, "t", "predefined roles of the new major reach the master user");
    let published = region.published("db").join(" ");
    assert!(published.ends_with("0264 0265 0266 0267 0268 0269"), "{published}");
    let logs = region
        .call("DescribeDBLogFiles", json!({ "DBInstanceIdentifier": "db", "FilenameContains": "pg_upgrade" }))
        .await;
    let names: Vec<_> =
        logs["DescribeDBLogFiles"].as_array().unwrap().iter().map(|log| log["LogFileName"].to_string()).collect();
    assert!(names.iter().any(|name| name.contains("pg_upgrade_internal.log")), "{names:?}");
}

#[tokio::test]
async fn data_roles_and_passwords_survive_an_upgrade_from_13_to_18() {
    data_roles_and_passwords_survive("13.23", "18.6", "18.").await;
}

#[tokio::test]
async fn data_roles_and_passwords_survive_an_upgrade_from_16_to_17() {
    data_roles_and_passwords_survive("16.8", "17.11", "17.").await;
}

async fn log_of(region: &Region, id: &str, part: &str) -> String {
    let files =
        region.call("DescribeDBLogFiles", json!({ "DBInstanceIdentifier": id, "FilenameContains": part })).await;
    let name = files["DescribeDBLogFiles"][0]["LogFileName"].clone();
    let input = json!({ "DBInstanceIdentifier": id, "LogFileName": name, "Marker": "0" });
    region.call("DownloadDBLogFilePortion", input).await["LogFileData"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_logical_slot_blocks_the_upgrade_until_it_is_dropped() {
    let mut region = Region::new();
    let group =
        json!({ "DBParameterGroupName": "logical", "DBParameterGroupFamily": "postgres13", "Description": "d" });
    region.call("CreateDBParameterGroup", group).await;
    let logical = json!({ "DBParameterGroupName": "logical", "Parameters": [
        { "ParameterName": "rds.logical_replication", "ParameterValue": "1", "ApplyMethod": "pending-reboot" }] });
    region.call("ModifyDBParameterGroup", logical).await;
    region.create("db", "13.23", json!({ "DBParameterGroupName": "logical" })).await;
    let master = region.master("db").await;
    master.batch_execute("SELECT pg_create_logical_replication_slot('dms', 'test_decoding')").await.unwrap();
    let mut asked = upgrade("db", "18.6");

    let custom = region.refusal("ModifyDBInstance", asked.clone()).await;
    asked["DBParameterGroupName"] = "default.postgres17".into();
    let wrong_family = region.refusal("ModifyDBInstance", asked.clone()).await;
    asked["DBParameterGroupName"] = "default.postgres18".into();
    region.call("ModifyDBInstance", asked.clone()).await;
    region.wait_for_instance("db", "upgrading", |db| db["DBInstanceStatus"] == "upgrading").await;
    let blocked = region.settled("db").await;

    assert!(custom.message.contains("is custom"), "{custom}");
    assert!(
        wrong_family.message.contains("Please use a Parameter Group with DBParameterGroupFamily postgres18"),
        "{wrong_family}"
    );
    assert_eq!(
        (&blocked["EngineVersion"], &blocked["DBParameterGroups"][0]["DBParameterGroupName"]),
        (&json!("13.23"), &json!("logical"))
    );
    assert_eq!(text(&master, "SELECT count(*) FROM pg_replication_slots").await, "1", "it was not even interrupted");
    let published = region.published("db").join(" ");
    assert!(published.ends_with("0264 0265 0158 0270"), "{published}");
    let report = log_of(&region, "db", "pg_upgrade_precheck.log").await;
    assert!(
        report.contains("could not be upgraded from 13.23 to 18.6")
            && report.contains("drop all logical replication slots"),
        "{report}"
    );

    master.batch_execute("SELECT pg_drop_replication_slot('dms')").await.unwrap();
    region.call("ModifyDBInstance", asked).await;
    let is_upgraded = |db: &Value| db["EngineVersion"] == "18.6" && db["DBInstanceStatus"] == "available";
    let upgraded = region.wait_for_instance("db", "upgraded", is_upgraded).await;
    assert_eq!(
        upgraded["DBParameterGroups"][0],
        json!({ "DBParameterGroupName": "default.postgres18", "ParameterApplyStatus": "in-sync" })
    );
    assert_eq!(region.show("db", "wal_level").await, "replica");
}

#[tokio::test]
async fn what_else_stands_in_the_way_is_named_by_database() {
    let region = Region::new();
    region.create("db", "15.19", json!({})).await;
    let master = region.master("db").await;
    master
        .batch_execute("CREATE TABLE t (code regproc); CREATE VIEW v AS SELECT pid FROM pg_stat_activity")
        .await
        .unwrap();
    region.rds.plan("db", PlannedFault::FailPrecheck("The moon is full.".to_owned())).await.unwrap();

    region.call("ModifyDBInstance", upgrade("db", "18.6")).await;
    region.wait_for_instance("db", "upgrading", |db| db["DBInstanceStatus"] == "upgrading").await;
    let blocked = region.settled("db").await;

    assert_eq!(blocked["EngineVersion"], "15.19");
    let report = log_of(&region, "db", "precheck").await;
    for line in [
        "* The moon is full.\n",
        "* The following issues in the database 'app' need to be corrected before upgrading:\n",
        "** The [\"reg*\"] data types are used in user tables. Remove all usage of these data types.\n",
        "** The database has views or materialized views that depend on 'pg_stat_activity'. Drop the views.\n",
    ] {
        assert!(report.contains(line), "{line} in {report}");
    }
}

#[tokio::test]
async fn an_upgrade_that_pg_upgrade_refuses_is_rolled_back() {
    let region = Region::new();
    region.create("db", "17.11", json!({})).await;
    let admin = region.admin("db").await;
    // RDS's own checks do not see this, pg_upgrade does.
    admin.batch_execute("UPDATE pg_database SET datallowconn = true WHERE datname = 'template0'").await.unwrap();
    let master = region.master("db").await;
    master.batch_execute("CREATE TABLE kept (id int)").await.unwrap();

    region.call("ModifyDBInstance", upgrade("db", "18.6")).await;
    region.wait_for_instance("db", "upgrading", |db| db["DBInstanceStatus"] == "upgrading").await;
    let rolled_back = region.settled("db").await;

    assert_eq!(rolled_back["EngineVersion"], "17.11");
    assert_eq!(text(&region.master("db").await, "SELECT count(*) FROM kept").await, "0");
    let messages = region.event_messages("db").await;
    assert!(messages.iter().any(|message| message.contains("failed and was rolled back")), "{messages:?}");
    assert!(log_of(&region, "db", "pg_upgrade_server").await.contains("server"), "the logs tell why");
}

/// The guide asks for such databases to be rid of them first. Here it is pg_upgrade that gives up: the owner is no superuser.
#[tokio::test]
async fn an_event_trigger_of_the_master_user_stops_the_upgrade_until_it_is_dropped() {
    let region = Region::new();
    region.create("db", "15.19", json!({})).await;
    let mut config = region.rds.admin_config("db").unwrap();
    let admin = local_aws_postgres::connect(config.dbname("app")).await.unwrap();
    let create = "CREATE FUNCTION public.watch() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
                  CREATE EVENT TRIGGER watch ON ddl_command_end EXECUTE FUNCTION public.watch();
                  UPDATE pg_event_trigger SET evtowner = 'boss'::regrole";
    admin.batch_execute(create).await.unwrap();
    let master = region.master("db").await;
    master.batch_execute("ALTER EVENT TRIGGER watch DISABLE").await.unwrap();

    region.call("ModifyDBInstance", upgrade("db", "18.6")).await;
    region.wait_for_instance("db", "upgrading", |db| db["DBInstanceStatus"] == "upgrading").await;
    let rolled_back = region.settled("db").await;
    region.master("db").await.batch_execute("DROP EVENT TRIGGER watch").await.unwrap();
    region.call("ModifyDBInstance", upgrade("db", "18.6")).await;
    let is_upgraded = |db: &Value| db["EngineVersion"] == "18.6" && db["DBInstanceStatus"] == "available";
    region.wait_for_instance("db", "upgraded", is_upgraded).await;

    assert_eq!(rolled_back["EngineVersion"], "15.19");
}

#[tokio::test]
async fn an_upgrade_needs_room_to_lock_every_table() {
    let region = Region::new();
    let group = json!({ "DBParameterGroupName": "small", "DBParameterGroupFamily": "postgres17", "Description": "d" });
    region.call("CreateDBParameterGroup", group).await;
    // Room for 300 objects and some slack; PostgreSQL's own defaults have room for 6,400.
    let parameters = json!({ "DBParameterGroupName": "small", "Parameters": [
        { "ParameterName": "max_connections", "ParameterValue": "30", "ApplyMethod": "pending-reboot" },
        { "ParameterName": "max_locks_per_transaction", "ParameterValue": "10", "ApplyMethod": "pending-reboot" },
    ] });
    region.call("ModifyDBParameterGroup", parameters).await;
    region.create("db", "17.11", json!({ "DBParameterGroupName": "small" })).await;
    let many = "DO $$ BEGIN FOR i IN 1..3000 LOOP EXECUTE format('CREATE TABLE t%s ()', i); COMMIT; END LOOP; END $$";
    region.master("db").await.batch_execute(many).await.unwrap();

    let mut upgrade = upgrade("db", "18.6");
    upgrade["DBParameterGroupName"] = json!("default.postgres18");
    region.call("ModifyDBInstance", upgrade).await;
    region.wait_for_instance("db", "upgrading", |db| db["DBInstanceStatus"] == "upgrading").await;
    let rolled_back = region.settled("db").await;

    assert_eq!(rolled_back["EngineVersion"], "17.11");
    let internal = log_of(&region, "db", "pg_upgrade_internal").await;
    let named = internal.split('"').nth(1).and_then(|path| path.rsplit('/').next());
    let log = log_of(&region, "db", named.unwrap_or_else(|| panic!("{internal}"))).await;
    assert!(log.contains("max_locks_per_transaction"), "{log}");
}

#[tokio::test]
async fn paths_that_rds_does_not_know_are_refused() {
    let region = Region::new();
    region.create("db", "13.7", json!({})).await;
    let mut without_flag = upgrade("db", "14.23");
    without_flag["AllowMajorVersionUpgrade"] = false.into();

    let too_far = region.refusal("ModifyDBInstance", upgrade("db", "18.6")).await;
    let without_flag = region.refusal("ModifyDBInstance", without_flag).await;
    region
        .call(
            "ModifyDBInstance",
            json!({ "DBInstanceIdentifier": "db", "EngineVersion": "13.23", "ApplyImmediately": true }),
        )
        .await;
    let minor = region.wait_for_instance("db", "13.23", |db| db["EngineVersion"] == "13.23").await;

    assert_eq!(
        (too_far.code.as_str(), too_far.message.as_str()),
        ("InvalidParameterCombination", "Cannot upgrade postgres from 13.7 to 18.6")
    );
    assert!(without_flag.message.contains("AllowMajorVersionUpgrade flag must be present"), "{without_flag}");
    assert_eq!(minor["DBParameterGroups"][0]["DBParameterGroupName"], "default.postgres13");
}

#[tokio::test]
async fn from_17_on_a_slot_goes_along_if_it_is_wholly_consumed() {
    let region = Region::new();
    for (name, family) in [("logical-17", "postgres17"), ("logical-18", "postgres18")] {
        let group = json!({ "DBParameterGroupName": name, "DBParameterGroupFamily": family, "Description": "d" });
        region.call("CreateDBParameterGroup", group).await;
        let logical = json!({ "DBParameterGroupName": name, "Parameters": [
            { "ParameterName": "rds.logical_replication", "ParameterValue": "1", "ApplyMethod": "pending-reboot" }] });
        region.call("ModifyDBParameterGroup", logical).await;
    }
    region.create("db", "17.11", json!({ "DBParameterGroupName": "logical-17" })).await;
    let master = region.master("db").await;
    master.batch_execute("SELECT pg_create_logical_replication_slot('dms', 'test_decoding')").await.unwrap();
    master.batch_execute("CREATE TABLE t (id int)").await.unwrap();
    let mut asked = upgrade("db", "18.6");
    asked["DBParameterGroupName"] = "logical-18".into();

    region.call("ModifyDBInstance", asked.clone()).await;
    region.wait_for_instance("db", "upgrading", |db| db["DBInstanceStatus"] == "upgrading").await;
    let unconsumed = region.settled("db").await;
    let master = region.master("db").await;
    master.batch_execute("SELECT pg_logical_slot_get_changes('dms', NULL, NULL)").await.unwrap();
    drop(master);
    region.call("ModifyDBInstance", asked).await;
    region.wait_for_instance("db", "upgraded", |db| db["EngineVersion"] == "18.6").await;
    region.settled("db").await;

    assert_eq!(unconsumed["EngineVersion"], "17.11");
    let master = region.master("db").await;
    assert_eq!(
        text(&master, "SELECT concat_ws(' ', slot_name, invalidation_reason) FROM pg_replication_slots").await,
        "dms"
    );
}
