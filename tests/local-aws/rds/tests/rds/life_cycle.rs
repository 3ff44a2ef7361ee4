//! Instances come, change and go.

use local_aws_postgres::connect;
use local_aws_rds::PlannedFault;
use serde_json::json;

use crate::region::{PASSWORD, Region, text};

#[tokio::test]
async fn a_new_instance_is_reached_by_its_endpoint_and_over_tls_only() {
    let mut region = Region::new();
    let input = json!({
        "DBInstanceIdentifier": "Source", "DBInstanceClass": "db.t3.micro", "Engine": "postgres", "EngineVersion": "15",
        "AllocatedStorage": 20, "MasterUsername": "boss", "MasterUserPassword": PASSWORD, "DBName": "app",
        "Tags": [{ "Key": "team", "Value": "shop" }],
    });

    let accepted = region.call("CreateDBInstance", input.clone()).await["DBInstance"].clone();
    let again = region.refusal("CreateDBInstance", input).await;
    let available = region.available("source").await;

    assert_eq!((&accepted["DBInstanceStatus"], accepted.get("Endpoint")), (&json!("creating"), None));
    assert_eq!(again.code, "DBInstanceAlreadyExists");
    assert_eq!(available["EngineVersion"], "15.19");
    assert_eq!(available["Endpoint"]["Address"], "source.cpgleaplocal.eu-west-1.rds.amazonaws.com");
    assert_eq!(available["Endpoint"]["Port"], region.port);
    assert_eq!(available["TagList"], json!([{ "Key": "team", "Value": "shop" }]));
    assert_eq!(available["DBParameterGroups"][0]["DBParameterGroupName"], "default.postgres15");
    assert_eq!(available["DBParameterGroups"][0]["ParameterApplyStatus"], "in-sync");
    let master = region.master("source").await;
    assert_eq!(text(&master, "SELECT current_database()").await, "app");
    let plain = connect(&region.login("source", "boss", "app")).await.unwrap_err().to_string();
    assert!(plain.contains("no pg_hba.conf entry") && plain.contains("no encryption"), "{plain}");
    assert_eq!(region.published("source"), ["0005", "0001", "0002"]);
    assert_eq!(region.rds.instance_ids(), ["source"]);
}

#[tokio::test]
async fn requests_that_rds_refuses_are_refused() {
    let region = Region::new();
    let valid = json!({
        "DBInstanceIdentifier": "x", "DBInstanceClass": "db.t3.micro", "Engine": "postgres", "EngineVersion": "13",
        "AllocatedStorage": 20, "MasterUsername": "boss", "MasterUserPassword": PASSWORD,
    });
    let with = |member: &str, value: serde_json::Value| {
        let mut input = valid.clone();
        input[member] = value;
        input
    };
    let cases = [
        (with("DBInstanceIdentifier", json!("1x")), "InvalidParameterValue"),
        (with("Engine", json!("mysql")), "InvalidParameterValue"),
        (with("EngineVersion", json!("12.22")), "InvalidParameterCombination"),
        (with("DBInstanceClass", json!("db.huge")), "InvalidParameterCombination"),
        (with("AllocatedStorage", json!(5)), "InvalidParameterCombination"),
        (with("MasterUsername", json!("rdsadmin")), "InvalidParameterValue"),
        (with("MasterUserPassword", json!("short")), "InvalidParameterValue"),
        (with("MasterUserPassword", json!("with/slash")), "InvalidParameterValue"),
        (with("DBParameterGroupName", json!("nothing")), "DBParameterGroupNotFound"),
        (with("DBParameterGroupName", json!("default.postgres15")), "InvalidParameterCombination"),
    ];

    for (input, code) in cases {
        assert_eq!(region.refusal("CreateDBInstance", input.clone()).await.code, code, "{input}");
    }
    assert_eq!(region.refusal("DescribeDBInstances", json!({ "DBInstanceIdentifier": "x" })).await.status, 404);
}

#[tokio::test]
async fn a_deleted_instance_leaves_a_final_snapshot_that_can_be_restored() {
    let region = Region::new();
    region.create("old", "15", json!({ "DeletionProtection": true })).await;
    region.master("old").await.batch_execute("CREATE TABLE kept (id int)").await.unwrap();

    let protected =
        region.refusal("DeleteDBInstance", json!({ "DBInstanceIdentifier": "old", "SkipFinalSnapshot": true })).await;
    region.call("ModifyDBInstance", json!({ "DBInstanceIdentifier": "old", "DeletionProtection": false })).await;
    let unnamed = region.refusal("DeleteDBInstance", json!({ "DBInstanceIdentifier": "old" })).await;
    let input = json!({ "DBInstanceIdentifier": "old", "FinalDBSnapshotIdentifier": "last" });
    let deleting = region.call("DeleteDBInstance", input).await;
    crate::region::wait_until("it is gone", async || region.rds.instance_ids().is_empty()).await;
    let input = json!({ "DBInstanceIdentifier": "new", "DBSnapshotIdentifier": "last" });
    region.call("RestoreDBInstanceFromDBSnapshot", input).await;
    region.available("new").await;

    assert_eq!(
        (protected.code.as_str(), unnamed.code.as_str()),
        ("InvalidParameterCombination", "InvalidParameterCombination")
    );
    assert_eq!(deleting["DBInstance"]["DBInstanceStatus"], "deleting");
    assert_eq!(region.hosts.get("old.cpgleaplocal.eu-west-1.rds.amazonaws.com"), None);
    assert_eq!(text(&region.master("new").await, "SELECT count(*) FROM kept").await, "0");
}

#[tokio::test]
async fn what_waits_for_the_window_is_carried_out_by_the_next_immediate_change() {
    let region = Region::new();
    region.create("db", "15", json!({})).await;
    let modify = |members: serde_json::Value| {
        let mut input = json!({ "DBInstanceIdentifier": "db" });
        input.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        input
    };

    region.call("ModifyDBInstance", modify(json!({ "MultiAZ": true, "CopyTagsToSnapshot": true }))).await;
    let queued = region.instance("db").await;
    region
        .call("ModifyDBInstance", modify(json!({ "DBInstanceClass": "db.t3.small", "ApplyImmediately": true })))
        .await;
    let applied = region.settled("db").await;

    assert_eq!(queued["PendingModifiedValues"], json!({ "MultiAZ": true }));
    assert_eq!((&queued["MultiAZ"], &queued["CopyTagsToSnapshot"]), (&json!(false), &json!(true)));
    assert_eq!((&applied["MultiAZ"], &applied["DBInstanceClass"]), (&json!(true), &json!("db.t3.small")));
    assert!(region.event_messages("db").await.contains(&"DB instance restarted".to_owned()), "another class restarts");
}

#[tokio::test]
async fn a_new_master_password_replaces_the_old_one() {
    let region = Region::new();
    region.create("db", "15", json!({})).await;

    let input = json!({ "DBInstanceIdentifier": "db", "MasterUserPassword": "another-password" });
    let accepted = region.call("ModifyDBInstance", input).await;
    region.settled("db").await;

    assert_eq!(accepted["DBInstance"]["PendingModifiedValues"], json!({ "MasterUserPassword": "****" }));
    let refused = region.try_connect("db", "boss", "app").await.unwrap_err();
    assert!(refused.contains("password authentication failed"), "{refused}");
    assert!(region.event_messages("db").await.contains(&"Reset master credentials.".to_owned()));
}

#[tokio::test]
async fn a_reboot_is_refused_while_another_is_under_way_and_ends_connections() {
    let region = Region::new();
    region.create("db", "15", json!({})).await;
    let master = region.master("db").await;

    let rebooting = region.call("RebootDBInstance", json!({ "DBInstanceIdentifier": "db" })).await;
    let refused = region.refusal("RebootDBInstance", json!({ "DBInstanceIdentifier": "db" })).await;
    let failover =
        region.refusal("RebootDBInstance", json!({ "DBInstanceIdentifier": "db", "ForceFailover": true })).await;
    region.available("db").await;

    assert_eq!(rebooting["DBInstance"]["DBInstanceStatus"], "rebooting");
    assert_eq!(
        (refused.code.as_str(), failover.code.as_str()),
        ("InvalidDBInstanceState", "InvalidParameterCombination")
    );
    assert!(master.simple_query("SELECT 1").await.is_err());
    region.master("db").await;
}

#[tokio::test]
async fn planned_faults_strike_and_the_instance_comes_back() {
    let region = Region::new();
    region.create("db", "15", json!({})).await;

    region.rds.plan("db", PlannedFault::Restart).await.unwrap();
    crate::region::wait_until("it serves again", async || region.try_connect("db", "boss", "app").await.is_ok()).await;
    region.rds.plan("db", PlannedFault::StorageFull).await.unwrap();
    let full = region.instance("db").await;
    let unreachable = region.try_connect("db", "boss", "app").await.is_err();
    let grow = json!({ "DBInstanceIdentifier": "db", "AllocatedStorage": 40, "ApplyImmediately": true });
    region.call("ModifyDBInstance", grow).await;
    region.settled("db").await;

    assert_eq!((&full["DBInstanceStatus"], unreachable), (&json!("storage-full"), true));
    region.master("db").await;
}

#[tokio::test]
async fn tags_are_added_listed_and_removed() {
    let region = Region::new();
    let arn = region.create("db", "15", json!({})).await["DBInstanceArn"].clone();
    let tags = json!([{ "Key": "pgleap:run", "Value": "a" }, { "Key": "x", "Value": "y" }]);

    region.call("AddTagsToResource", json!({ "ResourceName": arn, "Tags": tags })).await;
    region.call("RemoveTagsFromResource", json!({ "ResourceName": arn, "TagKeys": ["x"] })).await;
    let listed = region.call("ListTagsForResource", json!({ "ResourceName": arn })).await;
    let unknown = json!({ "ResourceName": "arn:aws:rds:eu-west-1:111122223333:db:nobody" });

    assert_eq!(listed["TagList"], json!([{ "Key": "pgleap:run", "Value": "a" }]));
    assert_eq!(region.refusal("ListTagsForResource", unknown).await.code, "DBInstanceNotFound");
}
