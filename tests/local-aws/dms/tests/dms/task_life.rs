//! A task from its making to its end: states, refusals, slot, faults, recovery.

use crate::support::{Rig, Wishes, until};
use local_aws_postgres::Shutdown;
use serde_json::{Value, json};

const ONE_TABLE: &str = "CREATE TABLE app.t (id int PRIMARY KEY, v int, body text);";

async fn slots(rig: &Rig) -> Vec<(String, bool)> {
    let rows = rig.on_source.query("SELECT slot_name::text, active FROM pg_replication_slots", &[]).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_slot_lives_as_long_as_the_task() {
    let rig = Rig::start("slot", 16, 17, ONE_TABLE, Wishes::default()).await;
    let mut events = rig.bus.subscribe();
    let arn = rig.make_task(json!({})).await;
    assert!(slots(&rig).await.is_empty());

    rig.start_task(&arn, "start-replication").await;
    rig.wait_for_changes().await;
    let running = slots(&rig).await;
    let resource: String = arn.rsplit(':').next().unwrap().chars().take(16).collect();
    let oid: u32 =
        rig.on_source.query_one("SELECT oid FROM pg_database WHERE datname = 'app'", &[]).await.unwrap().get(0);
    assert!(running[0].0.starts_with(&format!("{}_{oid:08}_", resource.to_lowercase())), "{running:?}");
    assert!(running[0].1, "active while the task runs");
    rig.drain().await;
    let confirmed = "SELECT (confirmed_flush_lsn > restart_lsn)::text FROM pg_replication_slots";
    until("the confirmation", async || {
        let row: String = rig.on_source.query_one(confirmed, &[]).await.unwrap().get(0);
        if row == "true" { Ok(()) } else { Err(row) }
    })
    .await;

    let stopped = rig.stop_task(&arn).await;
    assert_eq!(stopped["StopReason"], "Stop Reason NORMAL");
    until("the slot to be free", async || {
        let slots = slots(&rig).await;
        if slots.len() == 1 && !slots[0].1 { Ok(()) } else { Err(format!("{slots:?}")) }
    })
    .await;

    rig.call("DeleteReplicationTask", json!({"ReplicationTaskArn": arn})).await;
    let filter = json!({"Filters": [{"Name": "replication-task-arn", "Values": [arn]}]});
    until("the end of the task", async || {
        let all = rig.call("DescribeReplicationTasks", json!({})).await;
        if all["ReplicationTasks"] == json!([]) { Ok(()) } else { Err(all.to_string()) }
    })
    .await;
    assert_eq!(rig.refused("DescribeReplicationTasks", filter).await.code, "ResourceNotFoundFault");
    assert!(slots(&rig).await.is_empty());
    let mut kinds = Vec::new();
    while let Ok(event) = events.try_recv() {
        kinds.push(event.detail["eventType"].as_str().unwrap().to_owned());
    }
    assert_eq!(
        kinds,
        [
            "REPLICATION_TASK_CREATED",
            "REPLICATION_TASK_STARTED",
            "REPLICATION_TASK_STOPPED",
            "REPLICATION_TASK_DELETED"
        ]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dms_refuses_what_it_refuses() {
    let rig = Rig::start("refusals", 18, 18, ONE_TABLE, Wishes::default()).await;
    let mappings =
        json!({"rules": [{"rule-type": "selection", "rule-id": "1", "rule-name": "1", "rule-action": "include",
        "object-locator": {"schema-name": "app", "table-name": "%"}}]})
        .to_string();
    let creation = |changes: Value| {
        let mut input = json!({"ReplicationTaskIdentifier": "other", "SourceEndpointArn": rig.source_endpoint,
            "TargetEndpointArn": rig.target_endpoint, "ReplicationInstanceArn": rig.instance,
            "MigrationType": "full-load-and-cdc", "TableMappings": mappings});
        crate::support::merge(&mut input, &changes);
        input
    };
    let creations = [
        (
            json!({"ReplicationTaskSettings": r#"{"Logging": {"CloudWatchLogGroup": "x"}}"#}),
            "InvalidParameterValueException",
        ),
        (json!({"CdcStartTime": 1, "CdcStartPosition": "0/1"}), "InvalidParameterCombinationException"),
        (json!({"TableMappings": "{}"}), "InvalidParameterValueException"),
        (json!({"SourceEndpointArn": rig.target_endpoint}), "InvalidParameterValueException"),
        (json!({"SourceEndpointArn": "arn:aws:dms:eu-west-1:111122223333:endpoint:NONE"}), "ResourceNotFoundFault"),
    ];
    for (changes, code) in creations {
        assert_eq!(rig.refused("CreateReplicationTask", creation(changes.clone())).await.code, code, "{changes}");
    }

    let created = rig.call("CreateReplicationTask", creation(json!({}))).await["ReplicationTask"].clone();
    let arn = created["ReplicationTaskArn"].as_str().unwrap().to_owned();
    assert_eq!(created["Status"], "creating");
    let start = |kind: &str| json!({"ReplicationTaskArn": arn, "StartReplicationTaskType": kind});
    let early = rig.refused("StartReplicationTask", start("start-replication")).await;
    assert_eq!(
        (early.code.as_str(), early.message.as_str()),
        ("InvalidResourceStateFault", "Replication Task cannot be started, invalid state")
    );
    rig.wait_for_task("ready").await;
    assert_eq!(rig.refused("CreateReplicationTask", creation(json!({}))).await.code, "ResourceAlreadyExistsFault");
    assert_eq!(
        rig.refused("StartReplicationTask", start("resume-processing")).await.code,
        "InvalidParameterCombinationException"
    );
    let settings =
        rig.call("DescribeReplicationTasks", json!({})).await["ReplicationTasks"][0]["ReplicationTaskSettings"].clone();
    let settings: Value = serde_json::from_str(settings.as_str().unwrap()).unwrap();
    assert_eq!(settings["Logging"]["CloudWatchLogGroup"], "dms-tasks-ri");

    // A forgotten test of a connection.
    let pair = json!({"ReplicationInstanceArn": rig.instance, "EndpointArn": rig.target_endpoint});
    rig.call("DeleteConnection", pair).await;
    until("the end of the test's record", async || {
        let all = rig.call("DescribeConnections", json!({})).await;
        if all["Connections"].as_array().unwrap().len() == 1 { Ok(()) } else { Err(all.to_string()) }
    })
    .await;
    let untested = rig.refused("StartReplicationTask", start("start-replication")).await;
    assert_eq!(
        untested.message,
        "Test connection for replication instance ri and endpoint target should be successful for starting the replication task"
    );
    rig.test_connection(&rig.target_endpoint).await;

    rig.start_task(&arn, "start-replication").await;
    rig.wait_for_changes().await;
    let reload = |count: usize| {
        let tables: Vec<_> =
            (0..count).map(|number| json!({"SchemaName": "app", "TableName": format!("t{number}")})).collect();
        json!({"ReplicationTaskArn": arn, "TablesToReload": tables})
    };
    let while_running = [
        ("StartReplicationTask", start("resume-processing"), "InvalidResourceStateFault"),
        ("ModifyReplicationTask", json!({"ReplicationTaskArn": arn}), "InvalidResourceStateFault"),
        ("DeleteReplicationTask", json!({"ReplicationTaskArn": arn}), "InvalidResourceStateFault"),
        ("DeleteReplicationInstance", json!({"ReplicationInstanceArn": rig.instance}), "InvalidResourceStateFault"),
        ("DeleteEndpoint", json!({"EndpointArn": rig.source_endpoint}), "InvalidResourceStateFault"),
        ("ModifyEndpoint", json!({"EndpointArn": rig.source_endpoint}), "InvalidResourceStateFault"),
        ("ReloadTables", reload(11), "InvalidParameterValueException"),
    ];
    for (operation, input, code) in while_running {
        assert_eq!(rig.refused(operation, input).await.code, code, "{operation}");
    }
    rig.stop_task(&arn).await;
    let second = rig.refused("StartReplicationTask", start("start-replication")).await;
    assert_eq!(
        (second.code.as_str(), second.message.as_str()),
        (
            "InvalidParameterCombinationException",
            "Start Type : START_REPLICATION, valid only for tasks running for the first time"
        )
    );
    assert_eq!(rig.refused("ReloadTables", reload(1)).await.code, "InvalidResourceStateFault");
    assert_eq!(
        rig.refused("StopReplicationTask", json!({"ReplicationTaskArn": arn})).await.code,
        "InvalidResourceStateFault"
    );
    let class = json!({"ReplicationInstanceIdentifier": "x", "ReplicationInstanceClass": "dms.t9.huge"});
    assert_eq!(rig.refused("CreateReplicationInstance", class).await.code, "InvalidParameterValueException");
    assert_eq!(rig.refused("MoveReplicationTask", json!({})).await.code, "NotImplemented");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn out_of_memory_ends_with_a_larger_class_and_a_resume() {
    let wishes = Wishes {
        faults: vec!["out-of-memory at 40% while class < dms.t3.large", "forget-connection-test 1 times"],
        ..Wishes::default()
    };
    let rig = Rig::start("memory", 15, 18, ONE_TABLE, wishes).await;
    rig.on_source
        .batch_execute("INSERT INTO app.t SELECT i, i, 'b' || i FROM generate_series(1, 5000) i; ANALYZE")
        .await
        .unwrap();
    let arn = rig.make_task(json!({"FullLoadSettings": {"StopTaskCachedChangesApplied": true}})).await;
    let start = json!({"ReplicationTaskArn": arn, "StartReplicationTaskType": "start-replication"});
    assert_eq!(rig.refused("StartReplicationTask", start).await.code, "InvalidResourceStateFault");
    for endpoint in [&rig.source_endpoint, &rig.target_endpoint] {
        rig.test_connection(endpoint).await;
    }

    rig.start_task(&arn, "start-replication").await;
    let failed = rig.wait_for_task("failed").await;
    assert_eq!(
        failed["LastFailureMessage"],
        "Last Error Replication task out of memory. Stop Reason FATAL_ERROR Error Level FATAL"
    );
    rig.on_source
        .batch_execute("UPDATE app.t SET v = v + 1 WHERE id < 100; DELETE FROM app.t WHERE id > 4990")
        .await
        .unwrap();
    let class = json!({"ReplicationInstanceArn": rig.instance, "ReplicationInstanceClass": "dms.t3.large", "ApplyImmediately": true});
    let modified = rig.call("ModifyReplicationInstance", class).await;
    assert_eq!(modified["ReplicationInstance"]["PendingModifiedValues"]["ReplicationInstanceClass"], "dms.t3.large");
    assert_eq!(rig.wait_for_instance("available").await["ReplicationInstanceClass"], "dms.t3.large");
    rig.start_task(&arn, "resume-processing").await;
    let stopped = rig.wait_for_task("stopped").await;

    assert_eq!(stopped["StopReason"], "Stop Reason STOPPED_AFTER_CACHED_EVENTS");
    rig.assert_table_equal("app.t").await;
    rig.assert_no_exceptions().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_outlives_its_servers_and_its_instance() {
    let rig = Rig::start("outlives", 17, 18, ONE_TABLE, Wishes::default()).await;
    rig.on_source.batch_execute("INSERT INTO app.t SELECT i, 0, 'b' FROM generate_series(1, 100) i").await.unwrap();
    let arn = rig.make_task(json!({})).await;
    rig.start_task(&arn, "start-replication").await;
    rig.wait_for_changes().await;
    let mut rig = rig;

    for round in 0..3 {
        let began = std::time::Instant::now();
        let files = rig.source.files().unwrap();
        match round {
            0 => rig.source.restart(files).await.unwrap(),
            1 => rig.target.restart(rig.target.files().unwrap()).await.unwrap(),
            _ => {
                rig.source.stop(Shutdown::Immediate).await.unwrap();
                rig.source.start(files).await.unwrap();
            }
        }
        assert!(began.elapsed().as_secs() < 15, "a task does not hold up a shutdown: {:?}", began.elapsed());
        rig.on_source = rig.source.admin("app").await.unwrap();
        rig.on_target = rig.target.admin("app").await.unwrap();
        assert_eq!(rig.task().await["Status"], "running");
        rig.on_source
            .batch_execute(
                "UPDATE app.t SET v = v + 1, body = 'r' || v; INSERT INTO app.t SELECT max(id) + 1, 0, 'n' FROM app.t",
            )
            .await
            .unwrap();
        rig.drain().await;
        rig.assert_table_equal("app.t").await;
    }

    rig.call("RebootReplicationInstance", json!({"ReplicationInstanceArn": rig.instance})).await;
    rig.on_source.batch_execute("UPDATE app.t SET v = -1").await.unwrap();
    rig.wait_for_instance("available").await;
    rig.drain().await;
    rig.assert_equal().await;
    rig.assert_no_exceptions().await;
    assert_eq!(rig.task().await["Status"], "running");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_test_really_connects() {
    let rig = Rig::start(
        "connects",
        18,
        18,
        ONE_TABLE,
        Wishes { faults: vec!["refuse-connection to source 1 times"], ..Wishes::default() },
    )
    .await;
    let listen = rig.source.files().unwrap().listen;
    let given = |password: &str, host: &str, port: u16, mode: &str| {
        json!({"EndpointType": "source", "EngineName": "postgres", "SslMode": mode,
            "PostgreSQLSettings": {"ServerName": host, "Port": port, "Username": "dms", "Password": password, "DatabaseName": "app"}})
    };
    let address = listen.address.to_string();
    let cases = [
        ("good", given("dms-secret", &address, listen.port, "none"), "successful", ""),
        (
            "wrong-password",
            given("no", &address, listen.port, "none"),
            "failed",
            "FATAL: password authentication failed for user \"dms\"",
        ),
        ("no-name", given("no", "nowhere.example.com", listen.port, "none"), "failed", "could not translate host name"),
        ("no-server", given("no", "127.9.9.9", listen.port, "none"), "failed", "Connection refused"),
        ("no-tls", given("dms-secret", &address, listen.port, "require"), "failed", "08001"),
    ];
    for (name, mut input, status, text) in cases {
        input["EndpointIdentifier"] = json!(name);
        let made = rig.call("CreateEndpoint", input).await;
        assert_eq!(made["Endpoint"]["EndpointType"], "SOURCE");
        assert!(!made.to_string().contains("dms-secret"));
        let tested = rig.test_connection(made["Endpoint"]["EndpointArn"].as_str().unwrap()).await;
        assert_eq!(tested["Status"], status, "{tested}");
        let message = tested["LastFailureMessage"].as_str().unwrap_or_default();
        assert!(message.contains(text), "{message}");
        assert_eq!(message.is_empty(), status == "successful");
    }
    let missing = json!({"EndpointIdentifier": "no-secret", "EndpointType": "source", "EngineName": "postgres",
        "PostgreSQLSettings": {"SecretsManagerSecretId": "nothing", "SecretsManagerAccessRoleArn": "arn:role", "DatabaseName": "app"}});
    let made = rig.call("CreateEndpoint", missing).await;
    let tested = rig.test_connection(made["Endpoint"]["EndpointArn"].as_str().unwrap()).await;
    assert!(
        tested["LastFailureMessage"]
            .as_str()
            .unwrap()
            .contains("Failed to build connection string Unable to find Secrets Manager secret")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_of_changes_alone_starts_from_a_given_slot_and_position() {
    let rig = Rig::start(
        "given",
        18,
        15,
        ONE_TABLE,
        Wishes { source_settings: json!({"SlotName": "rev"}), ..Wishes::default() },
    )
    .await;
    rig.on_source.batch_execute("INSERT INTO app.t VALUES (1, 1, 'before')").await.unwrap();
    let position: String = rig
        .on_source
        .query_one("SELECT lsn::text FROM pg_create_logical_replication_slot('rev', 'test_decoding')", &[])
        .await
        .unwrap()
        .get(0);
    rig.on_source.batch_execute("INSERT INTO app.t VALUES (2, 2, 'after')").await.unwrap();
    let arn = rig.make_task_of("cdc", json!({}), json!([])).await;

    let start = json!({"ReplicationTaskArn": arn, "StartReplicationTaskType": "start-replication", "CdcStartPosition": position});
    rig.call("StartReplicationTask", start).await;
    rig.wait_for_task("running").await;
    rig.drain().await;

    assert_eq!(rig.target_count("SELECT sum(id) FROM app.t").await, 2);
    rig.stop_task(&arn).await;
    rig.call("DeleteReplicationTask", json!({"ReplicationTaskArn": arn})).await;
    until("the end of the task", async || {
        let all = rig.call("DescribeReplicationTasks", json!({})).await;
        if all["ReplicationTasks"] == json!([]) { Ok(()) } else { Err(all.to_string()) }
    })
    .await;
    assert_eq!(slots(&rig).await, [("rev".to_owned(), false)], "a slot that DMS did not make stays");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_selection_without_a_table_fails_the_task_and_resources_end_in_order() {
    let rig = Rig::start("nothing", 18, 18, "", Wishes::default()).await;
    rig.on_source.batch_execute("DROP TABLE app.marker").await.unwrap();
    let arn = rig.make_task(json!({})).await;
    rig.start_task(&arn, "start-replication").await;
    let failed = rig.wait_for_task("failed").await;
    assert!(
        failed["LastFailureMessage"]
            .as_str()
            .unwrap()
            .starts_with("Last Error  No tables were found at task initialization.")
    );
    let tags = json!({"ResourceArn": arn, "Tags": [{"Key": "pgleap:run", "Value": "demo"}]});
    rig.call("AddTagsToResource", tags).await;
    let listed = rig.call("ListTagsForResource", json!({"ResourceArn": arn})).await;
    assert_eq!(listed["TagList"], json!([{"Key": "pgleap:run", "Value": "demo", "ResourceArn": arn}]));

    rig.call("DeleteReplicationTask", json!({"ReplicationTaskArn": arn})).await;
    let gone = async |operation: &str, member: &str| {
        until(operation, async || {
            let all = rig.call(operation, json!({})).await;
            if all[member] == json!([]) { Ok(()) } else { Err(all.to_string()) }
        })
        .await;
    };
    gone("DescribeReplicationTasks", "ReplicationTasks").await;
    rig.call("DeleteEndpoint", json!({"EndpointArn": rig.source_endpoint})).await;
    rig.call("DeleteEndpoint", json!({"EndpointArn": rig.target_endpoint})).await;
    gone("DescribeEndpoints", "Endpoints").await;
    rig.call("DeleteReplicationInstance", json!({"ReplicationInstanceArn": rig.instance})).await;
    gone("DescribeReplicationInstances", "ReplicationInstances").await;
    let events =
        rig.call("DescribeEvents", json!({"SourceType": "replication-instance", "SourceIdentifier": "ri"})).await;
    assert_eq!(
        events["Events"].as_array().unwrap().last().unwrap()["Message"],
        "The replication instance has been deleted."
    );
    let classes = rig.call("DescribeOrderableReplicationInstances", json!({"MaxRecords": 20})).await;
    assert!(classes["Marker"].is_string());
}
