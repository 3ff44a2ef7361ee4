//! Servers reach each other, until a test cuts them off.

use serde_json::json;
use tokio_postgres::Client;

use crate::region::{Region, text, wait_until};
use crate::seeds::{conninfo, endpoint, source};

/// A source and a copy of it, both with dblink.
async fn source_and_copy(region: &Region, major: u16) -> (Client, Client) {
    let group = source(region, major).await;
    region.master("source").await.batch_execute("CREATE EXTENSION dblink").await.unwrap();
    region.snapshot("source", "now").await;
    region.restore("copy", "now", json!({ "DBParameterGroupName": group })).await;
    (region.master("source").await, region.master("copy").await)
}

/// On which instance a query is answered that one instance sends to an endpoint; what libpq says if it is not.
async fn asked(region: &Region, from: &Client, host: &str) -> Result<String, String> {
    let conninfo = conninfo(region, from, host).await;
    let query = format!("SELECT there FROM dblink('{conninfo}', 'SHOW listen_addresses') t (there text)");
    match from.query_one(&query, &[]).await {
        Ok(row) => {
            let there: String = row.get(0);
            let is_there = |id: &&str| region.hosts.get(&endpoint(id)).is_some_and(|at| at.to_string() == there);
            Ok(["source", "copy"].into_iter().find(is_there).unwrap_or("somewhere else").to_owned())
        }
        Err(error) => Err(error.as_db_error().and_then(|error| error.detail()).unwrap_or_default().to_owned()),
    }
}

#[tokio::test]
async fn servers_reach_every_endpoint_and_nothing_else_from_14_on() {
    let region = Region::new();
    let (source, copy) = source_and_copy(&region, 16).await;
    region.create("other", "18", json!({})).await;

    for (from, host, expected) in
        [(&copy, "source", "source"), (&source, "copy", "copy"), (&source, "source", "source")]
    {
        assert_eq!(asked(&region, from, &endpoint(host)).await, Ok(expected.to_owned()));
    }
    // It has no login of that name, so it was reached.
    let other = asked(&region, &source, &endpoint("other")).await.unwrap_err();
    assert!(other.contains("password authentication failed"), "{other}");
    let nobody = asked(&region, &source, &endpoint("nobody")).await.unwrap_err();
    assert!(nobody.contains("EOF detected"), "{nobody}");
}

#[tokio::test]
async fn a_source_and_its_copy_reach_each_other_on_13_and_verify_the_name() {
    let region = Region::new();
    let (source, copy) = source_and_copy(&region, 13).await;

    assert_eq!(asked(&region, &copy, &endpoint("source")).await, Ok("source".to_owned()));
    assert_eq!(asked(&region, &source, &endpoint("copy")).await, Ok("copy".to_owned()));
    let wrong = asked(&region, &source, &endpoint("source")).await.unwrap_err();
    assert!(wrong.contains("does not match host name"), "{wrong}");
    region.call("DeleteDBInstance", json!({ "DBInstanceIdentifier": "copy", "SkipFinalSnapshot": true })).await;
    wait_until("the copy is gone", async || {
        region.try_call("DescribeDBInstances", json!({ "DBInstanceIdentifier": "copy" })).await.is_err()
    })
    .await;
    let gone = asked(&region, &source, &endpoint("copy")).await.unwrap_err();
    assert!(gone.contains("EOF detected"), "{gone}");
}

#[tokio::test]
async fn an_instance_that_is_cut_off_replicates_again_when_it_is_reconnected() {
    let region = Region::new();
    let (source, copy) = source_and_copy(&region, 16).await;
    region.admin("source").await.batch_execute("ALTER SYSTEM SET wal_retrieve_retry_interval = '100ms'").await.unwrap();
    region.admin("source").await.batch_execute("SELECT pg_reload_conf()").await.unwrap();
    copy.batch_execute("SELECT pg_create_logical_replication_slot('back', 'pgoutput')").await.unwrap();
    let conninfo = conninfo(&region, &source, &endpoint("copy")).await;
    let subscribe = format!(
        "CREATE SUBSCRIPTION back CONNECTION '{conninfo}' PUBLICATION p
         WITH (slot_name = 'back', create_slot = false, copy_data = false, run_as_owner = true)"
    );
    source.batch_execute(&subscribe).await.unwrap();
    let rows = async || text(&source, "SELECT count(*) FROM t").await;
    copy.batch_execute("INSERT INTO t VALUES (2)").await.unwrap();
    wait_until("the source follows", async || rows().await == "2").await;

    for end in ["source", "copy"] {
        region.rds.cut_off(end).unwrap();
        let is_active = "SELECT active FROM pg_replication_slots WHERE slot_name = 'back'";
        wait_until("its connection has ended", async || text(&copy, is_active).await == "f").await;
        let before = rows().await;
        copy.batch_execute("INSERT INTO t SELECT max(id) + 1 FROM t").await.unwrap();
        let refused = asked(&region, &source, &endpoint("copy")).await;
        assert!(refused.is_err() && rows().await == before, "{end}: {refused:?}");
        // Clients connect as ever.
        region.master(end).await;
        region.rds.reconnect(end).unwrap();
        wait_until("the source follows again", async || rows().await != before).await;
    }
    assert_eq!(region.rds.cut_off("nobody").unwrap_err().code, "DBInstanceNotFound");
}
