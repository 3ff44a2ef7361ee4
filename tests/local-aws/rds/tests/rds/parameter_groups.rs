//! A parameter group says one thing, the server does another, until the reboot.

use serde_json::{Value, json};

use crate::region::{Region, text, wait_until};

async fn make_group(region: &Region, name: &str, family: &str) {
    let input = json!({ "DBParameterGroupName": name, "DBParameterGroupFamily": family, "Description": "of a test" });
    region.call("CreateDBParameterGroup", input).await;
}

fn set(group: &str, name: &str, value: &str, method: &str) -> Value {
    let parameter = json!({ "ParameterName": name, "ParameterValue": value, "ApplyMethod": method });
    json!({ "DBParameterGroupName": group, "Parameters": [parameter] })
}

fn apply_status(instance: &Value) -> (&str, &str) {
    let group = &instance["DBParameterGroups"][0];
    (group["DBParameterGroupName"].as_str().unwrap(), group["ParameterApplyStatus"].as_str().unwrap())
}

#[tokio::test]
async fn logical_replication_waits_for_the_reboot() {
    let region = Region::new();
    region.create("db", "13", json!({})).await;
    make_group(&region, "own", "postgres13").await;
    region.call("ModifyDBParameterGroup", set("own", "rds.logical_replication", "1", "pending-reboot")).await;
    region.call("ModifyDBParameterGroup", set("own", "wal_sender_timeout", "0", "immediate")).await;

    let attach = json!({ "DBInstanceIdentifier": "db", "DBParameterGroupName": "own" });
    let attached = region.call("ModifyDBInstance", attach).await["DBInstance"].clone();
    let pending = region.wait_for_instance("db", "pending-reboot", |db| apply_status(db).1 == "pending-reboot").await;
    let before = [region.show("db", "wal_level").await, region.show("db", "wal_sender_timeout").await];
    region.call_when_ready("RebootDBInstance", json!({ "DBInstanceIdentifier": "db" })).await;
    let rebooted = region.available("db").await;

    assert_eq!((apply_status(&attached), apply_status(&pending)), (("own", "applying"), ("own", "pending-reboot")));
    assert_eq!(before, ["replica", "30s"], "static and dynamic values of an attached group alike wait");
    assert_eq!(apply_status(&rebooted), ("own", "in-sync"));
    let shown = ["wal_level", "wal_sender_timeout", "rds.logical_replication", "max_replication_slots"];
    for (parameter, expected) in shown.into_iter().zip(["logical", "0", "on", "10"]) {
        assert_eq!(region.show("db", parameter).await, expected, "{parameter}");
    }
    let messages = region.event_messages("db").await;
    assert!(messages.contains(&"Updated to use DBParameterGroup own.".to_owned()), "{messages:?}");
}

#[tokio::test]
async fn a_dynamic_parameter_reaches_the_running_server_and_a_static_one_does_not() {
    let region = Region::new();
    make_group(&region, "own", "postgres15").await;
    region.create("db", "15", json!({ "DBParameterGroupName": "own" })).await;
    let session = region.master("db").await;

    region.call("ModifyDBParameterGroup", set("own", "default_transaction_read_only", "1", "immediate")).await;
    let applying = apply_status(&region.instance("db").await).1.to_owned();
    let read_only = async || text(&session, "SHOW default_transaction_read_only").await == "on";
    wait_until("an open session is read-only", read_only).await;
    let in_sync = region.wait_for_instance("db", "in-sync", |db| apply_status(db).1 == "in-sync").await;
    region.call("ModifyDBParameterGroup", set("own", "max_connections", "77", "pending-reboot")).await;
    let static_one = region.instance("db").await;

    assert_eq!((applying.as_str(), apply_status(&in_sync).1), ("applying", "in-sync"));
    assert_eq!(apply_status(&static_one).1, "pending-reboot");
    assert_ne!(region.show("db", "max_connections").await, "77");
    region.call_when_ready("RebootDBInstance", json!({ "DBInstanceIdentifier": "db" })).await;
    region.available("db").await;
    assert_eq!(region.show("db", "max_connections").await, "77");

    region.call("ResetDBParameterGroup", json!({ "DBParameterGroupName": "own", "ResetAllParameters": true })).await;
    wait_until("the reset reaches new sessions", async || {
        region.show("db", "default_transaction_read_only").await == "off"
    })
    .await;
    assert_eq!(apply_status(&region.instance("db").await).1, "pending-reboot", "the static one waits again");
}

#[tokio::test]
async fn turning_force_ssl_off_lets_clients_in_without_tls() {
    let region = Region::new();
    make_group(&region, "own", "postgres15").await;
    region.create("db", "15", json!({ "DBParameterGroupName": "own" })).await;
    let plain = region.login("db", "boss", "app");
    assert!(local_aws_postgres::connect(&plain).await.is_err());

    region.call("ModifyDBParameterGroup", set("own", "rds.force_ssl", "0", "immediate")).await;

    wait_until("a client without TLS is let in", async || local_aws_postgres::connect(&plain).await.is_ok()).await;
    assert_eq!(region.show("db", "rds.force_ssl").await, "off");
}

#[tokio::test]
async fn a_server_that_cannot_start_with_its_group_is_incompatible_with_it() {
    let region = Region::new();
    make_group(&region, "own", "postgres15").await;
    // Within the allowed values, and still more shared memory than a server can have.
    region.call("ModifyDBParameterGroup", set("own", "max_wal_senders", "262143", "pending-reboot")).await;
    region.create("db", "15", json!({})).await;
    region.call("ModifyDBInstance", json!({ "DBInstanceIdentifier": "db", "DBParameterGroupName": "own" })).await;

    region.call_when_ready("RebootDBInstance", json!({ "DBInstanceIdentifier": "db" })).await;

    let is_incompatible = |db: &Value| db["DBInstanceStatus"] == "incompatible-parameters";
    region.wait_for_instance("db", "incompatible-parameters", is_incompatible).await;
}

#[tokio::test]
async fn changes_that_rds_refuses_are_refused() {
    let region = Region::new();
    make_group(&region, "own", "postgres15").await;
    let many: Vec<Value> = (0..21)
        .map(|_| json!({ "ParameterName": "work_mem", "ParameterValue": "64", "ApplyMethod": "immediate" }))
        .collect();
    let cases = [
        (set("own", "rds.logical_replication", "1", "immediate"), "InvalidParameterCombination"),
        (set("own", "wal_level", "logical", "pending-reboot"), "InvalidParameterValue"),
        (set("own", "no_such_parameter", "1", "immediate"), "InvalidParameterValue"),
        (set("own", "work_mem", "1", "immediate"), "InvalidParameterValue"),
        (set("default.postgres15", "work_mem", "64", "immediate"), "InvalidParameterValue"),
        (set("nothing", "work_mem", "64", "immediate"), "DBParameterGroupNotFound"),
        (json!({ "DBParameterGroupName": "own", "Parameters": many }), "InvalidParameterValue"),
    ];

    for (input, code) in cases {
        assert_eq!(region.refusal("ModifyDBParameterGroup", input.clone()).await.code, code, "{input}");
    }
    let copy = json!({ "SourceDBParameterGroupIdentifier": "default.postgres15",
        "TargetDBParameterGroupIdentifier": "copy", "TargetDBParameterGroupDescription": "d" });
    assert_eq!(region.refusal("CopyDBParameterGroup", copy).await.code, "InvalidParameterValue");
    let unknown = json!({ "DBParameterGroupName": "x", "DBParameterGroupFamily": "postgres9", "Description": "d" });
    assert_eq!(region.refusal("CreateDBParameterGroup", unknown).await.code, "InvalidParameterValue");
}

#[tokio::test]
async fn a_group_in_use_cannot_be_deleted_and_a_copy_carries_its_values() {
    let region = Region::new();
    make_group(&region, "own", "postgres15").await;
    region.call("ModifyDBParameterGroup", set("own", "work_mem", "8192", "immediate")).await;
    region.create("db", "15", json!({ "DBParameterGroupName": "own" })).await;

    let in_use = region.refusal("DeleteDBParameterGroup", json!({ "DBParameterGroupName": "own" })).await;
    let copy = json!({ "SourceDBParameterGroupIdentifier": "own", "TargetDBParameterGroupIdentifier": "copy",
        "TargetDBParameterGroupDescription": "d", "Tags": [{ "Key": "pgleap:run", "Value": "a" }] });
    let copied = region.call("CopyDBParameterGroup", copy).await["DBParameterGroup"].clone();
    let set_by_user =
        region.call("DescribeDBParameters", json!({ "DBParameterGroupName": "copy", "Source": "user" })).await;
    region.call("DeleteDBParameterGroup", json!({ "DBParameterGroupName": "copy" })).await;

    assert_eq!(in_use.code, "InvalidDBParameterGroupState");
    assert_eq!(copied["DBParameterGroupFamily"], "postgres15");
    let parameters = set_by_user["Parameters"].as_array().unwrap();
    assert_eq!(parameters.len(), 1);
    assert_eq!(
        (&parameters[0]["ParameterName"], &parameters[0]["ParameterValue"]),
        (&json!("work_mem"), &json!("8192"))
    );
    assert_eq!(parameters[0]["ApplyType"], "dynamic");
    assert_eq!(region.show("db", "work_mem").await, "8MB");
}

#[tokio::test]
async fn parameters_are_those_of_the_real_server_with_rds_own_among_them() {
    let region = Region::new();
    let mut all: Vec<Value> = Vec::new();
    let mut input = json!({ "DBParameterGroupName": "default.postgres18", "MaxRecords": 100 });
    loop {
        let page = region.call("DescribeDBParameters", input.clone()).await;
        all.extend(page["Parameters"].as_array().unwrap().clone());
        match page.get("Marker") {
            Some(marker) => input["Marker"] = marker.clone(),
            None => break,
        }
    }
    let of = |name: &str| all.iter().find(|parameter| parameter["ParameterName"] == name).unwrap();

    assert!(all.len() > 300, "{}", all.len());
    assert_eq!(
        (&of("rds.logical_replication")["ApplyType"], &of("rds.logical_replication")["ParameterValue"]),
        (&json!("static"), &json!("0"))
    );
    assert_eq!(
        (&of("rds.force_ssl")["ApplyType"], &of("rds.force_ssl")["ParameterValue"]),
        (&json!("dynamic"), &json!("1"))
    );
    assert_eq!(
        (&of("max_wal_senders")["ApplyType"], &of("autovacuum_max_workers")["ApplyType"]),
        (&json!("static"), &json!("dynamic"))
    );
    assert_eq!(
        (&of("wal_level")["IsModifiable"], &of("work_mem")["Source"]),
        (&json!(false), &json!("engine-default"))
    );
    assert_eq!(of("wal_sender_timeout")["Source"], "system");
    let defaults =
        region.call("DescribeEngineDefaultParameters", json!({ "DBParameterGroupFamily": "postgres18" })).await;
    assert_eq!(defaults["EngineDefaults"]["Parameters"].as_array().unwrap().len(), 100);
}

/// What logical replication goes by: first major, name, apply type, a value that the server takes, one that RDS refuses.
const OF_REPLICATION: &[(u16, &str, &str, &str, &str)] = &[
    (13, "max_slot_wal_keep_size", "dynamic", "2048", "-2"),
    (18, "idle_replication_slot_timeout", "dynamic", "3600", "-1"),
    (13, "rds.logical_replication", "static", "1", "2"),
    (13, "max_replication_slots", "static", "25", "4"),
    (13, "max_wal_senders", "static", "26", "many"),
    (13, "max_logical_replication_workers", "static", "9", "-1"),
    (18, "max_active_replication_origins", "static", "27", "-1"),
];

async fn parameters_of_replication_reach_the_server(major: u16) {
    let region = Region::new();
    make_group(&region, "own", &format!("postgres{major}")).await;
    region.create("db", &major.to_string(), json!({ "DBParameterGroupName": "own" })).await;
    let master = region.master("db").await;
    let (known, unknown): (Vec<_>, Vec<_>) = OF_REPLICATION.iter().partition(|(since, ..)| *since <= major);

    for (_, name, _, value, _) in unknown {
        let refused = region.refusal("ModifyDBParameterGroup", set("own", name, value, "pending-reboot")).await;
        assert!(refused.message.contains("Could not find parameter"), "{name}: {refused}");
    }
    for (_, name, apply_type, value, refused) in &known {
        let filters = json!([{ "Name": "parameter-name", "Values": [name] }]);
        let asked = json!({ "DBParameterGroupName": "own", "Filters": filters });
        assert_eq!(
            region.call("DescribeDBParameters", asked).await["Parameters"][0]["ApplyType"],
            *apply_type,
            "{name}"
        );
        let refusal = region.refusal("ModifyDBParameterGroup", set("own", name, refused, "pending-reboot")).await;
        assert!(refusal.message.contains("allowed values are"), "{name}: {refusal}");
        let method = if *apply_type == "dynamic" { "immediate" } else { "pending-reboot" };
        region.call("ModifyDBParameterGroup", set("own", name, value, method)).await;
    }
    // Without its unit, as a group has it.
    let shown = async |client: &tokio_postgres::Client, name: &str| match name {
        "rds.logical_replication" => {
            text(client, "SELECT (current_setting('rds.logical_replication') = 'on')::int").await
        }
        _ => text(client, &format!("SELECT setting FROM pg_settings WHERE name = '{name}'")).await,
    };
    for (_, name, apply_type, value, _) in &known {
        match *apply_type {
            "dynamic" => wait_until(name, async || shown(&master, name).await == *value).await,
            _ => assert_ne!(shown(&master, name).await, *value, "{name} waits for the reboot"),
        }
    }
    region.call_when_ready("RebootDBInstance", json!({ "DBInstanceIdentifier": "db" })).await;
    region.available("db").await;
    let master = region.master("db").await;
    for (_, name, _, value, _) in &known {
        assert_eq!(shown(&master, name).await, *value, "{name} of {major}");
    }
}

#[tokio::test]
async fn parameters_of_replication_reach_the_server_on_every_major() {
    for major in 13..=18 {
        parameters_of_replication_reach_the_server(major).await;
    }
}
