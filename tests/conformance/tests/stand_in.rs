//! The whole local AWS, seen by botocore.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::time::{Duration, Instant};

use conformance_tests::second_client;
use local_aws::{Config, LocalAws};
use local_aws_core::{Call, checked};
use serde_json::{Value, json};

/// Step Functions is moto's own and has its own self-test.
async fn stand_in() -> LocalAws {
    LocalAws::start(Config { step_functions: false, ..Config::default() }).await.unwrap()
}

/// Run a module of the second client against a stand-in; ends the stand-in.
async fn botocore_accepts(aws: LocalAws, module: &str, environment: &[(&str, &str)]) {
    let found = second_client(module, &aws.url(), environment).await;
    aws.stop().await;
    found.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_control_services_are_as_published() {
    botocore_accepts(stand_in().await, "control", &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rds_is_as_published() {
    botocore_accepts(stand_in().await, "rds", &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_an_operation_answers_its_model_allows() {
    botocore_accepts(stand_in().await, "sweep", &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dms_is_as_published() {
    let aws = stand_in().await;
    make_database(&aws, "source", "15", 1000).await;
    make_database(&aws, "target", "16", 0).await;

    botocore_accepts(aws, "dms", &[("SUBJECT_SOURCE", "source"), ("SUBJECT_TARGET", "target")]).await;
}

async fn rds(aws: &LocalAws, operation: &str, input: Value) -> Value {
    checked(aws.rds(), &Call::new(operation, input)).await.unwrap()
}

/// An instance with logical replication and a table `note` of this many rows, all of it the master's.
async fn make_database(aws: &LocalAws, id: &str, version: &str, rows: i32) {
    let family = format!("postgres{version}");
    let group = json!({"DBParameterGroupName": id, "DBParameterGroupFamily": family, "Description": "conformance"});
    rds(aws, "CreateDBParameterGroup", group).await;
    let logical =
        json!({"ParameterName": "rds.logical_replication", "ParameterValue": "1", "ApplyMethod": "pending-reboot"});
    rds(aws, "ModifyDBParameterGroup", json!({"DBParameterGroupName": id, "Parameters": [logical]})).await;
    let instance = json!({
        "DBInstanceIdentifier": id, "DBInstanceClass": "db.t3.medium", "Engine": "postgres", "EngineVersion": version,
        "DBName": "app", "AllocatedStorage": 20, "MasterUsername": "master", "MasterUserPassword": "conformance-1",
        "DBParameterGroupName": id, "BackupRetentionPeriod": 0,
    });
    rds(aws, "CreateDBInstance", instance).await;
    until_available(aws, id).await;
    let mut observer = aws.rds().admin_config(id).unwrap();
    let (client, connection) = observer.dbname("app").connect(tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    let table = format!(
        "CREATE TABLE public.note (id int PRIMARY KEY, body text);
         INSERT INTO public.note SELECT n, 'note ' || n FROM generate_series(1, {rows}) AS n;
         ALTER TABLE public.note OWNER TO master"
    );
    client.batch_execute(&table).await.unwrap();
}

async fn until_available(aws: &LocalAws, id: &str) {
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        let found = rds(aws, "DescribeDBInstances", json!({"DBInstanceIdentifier": id})).await;
        let status = found["DBInstances"][0]["DBInstanceStatus"].clone();
        if status == "available" {
            return;
        }
        assert!(Instant::now() < deadline, "{id} is still {status}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
