//! Ways through a task that few take and that must hold: TLS that verifies, stops in between, broken loads.

use crate::support::{Rig, SCALE, Secrets, Wishes, until};
use local_aws_core::{Call, Clock, EventBus, Hosts, Service};
use local_aws_dms::{Dms, DmsSettings};
use local_aws_postgres::{CertificateAuthority, Encryption, Listen, ServerFiles, Servers, free_port};
use serde_json::{Value, json};
use std::sync::Arc;

const TWO_TABLES: &str =
    "CREATE TABLE app.t (id int PRIMARY KEY, v int); CREATE TABLE app.named (name text PRIMARY KEY, v int);";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_are_verified_as_the_ssl_mode_says() {
    let servers = Servers::for_tests();
    let authority = CertificateAuthority::create(servers.scratch_folder()).unwrap();
    let stranger_folder = servers.scratch_folder().join("stranger");
    std::fs::create_dir_all(&stranger_folder).unwrap();
    let stranger = CertificateAuthority::create(&stranger_folder).unwrap();
    let host = "db.abc.eu-west-1.rds.amazonaws.com";
    let port = free_port().unwrap();
    let address = servers.addresses().take(port).unwrap();
    let cluster = servers.create_cluster(16, "dms-tls").await.unwrap();
    let encryption = Encryption::Required(authority.issue(host).unwrap());
    cluster
        .start(ServerFiles {
            listen: Listen { address, port },
            encryption,
            closed_databases: vec![],
            peer: None,
            settings: vec![],
        })
        .await
        .unwrap();
    let admin = cluster.admin("postgres").await.unwrap();
    admin.batch_execute("CREATE ROLE dms LOGIN PASSWORD 'secret'").await.unwrap();
    let hosts = Hosts::default();
    hosts.set(host, address);
    hosts.set("other.example.com", address);
    let secrets = Arc::new(Secrets::default());
    let dms = Dms::new(Clock::new(SCALE), hosts, EventBus::default(), secrets, DmsSettings::default());
    let call = async |operation: &str, input: Value| dms.call(&Call::new(operation, input)).await.unwrap();
    let instance = call(
        "CreateReplicationInstance",
        json!({"ReplicationInstanceIdentifier": "ri", "ReplicationInstanceClass": "dms.t3.small"}),
    )
    .await;
    let instance = instance["ReplicationInstance"]["ReplicationInstanceArn"].clone();
    until("the instance", async || {
        let all = call("DescribeReplicationInstances", json!({})).await;
        if all["ReplicationInstances"][0]["ReplicationInstanceStatus"] == "available" {
            Ok(())
        } else {
            Err(all.to_string())
        }
    })
    .await;
    let mut certificates = Vec::new();
    for (name, authority) in [("ours", &authority), ("theirs", &stranger)] {
        let pem = std::fs::read_to_string(authority.certificate_path()).unwrap();
        let made = call("ImportCertificate", json!({"CertificateIdentifier": name, "CertificatePem": pem})).await;
        certificates.push(made["Certificate"]["CertificateArn"].as_str().unwrap().to_owned());
    }
    let cases = [
        ("none", host, None, "no pg_hba.conf entry"),
        ("require", "other.example.com", None, ""),
        ("verify-ca", "other.example.com", Some(0), ""),
        ("verify-ca", host, Some(1), "certificate"),
        ("verify-full", host, Some(0), ""),
        ("verify-full", "other.example.com", Some(0), "certificate"),
    ];

    for (number, (mode, name, certificate, expected)) in cases.into_iter().enumerate() {
        let mut endpoint = json!({"EndpointIdentifier": format!("e{number}"), "EndpointType": "source", "EngineName": "postgres",
            "SslMode": mode, "PostgreSQLSettings": {"ServerName": name, "Port": port, "Username": "dms", "Password": "secret",
            "DatabaseName": "postgres"}});
        if let Some(certificate) = certificate {
            endpoint["CertificateArn"] = json!(certificates[certificate]);
        }
        let made = call("CreateEndpoint", endpoint).await;
        let endpoint = made["Endpoint"]["EndpointArn"].clone();
        call("TestConnection", json!({"ReplicationInstanceArn": instance, "EndpointArn": endpoint})).await;
        let filters = json!({"Filters": [{"Name": "endpoint-arn", "Values": [endpoint]}]});
        let tested = until("the test", async || {
            let connection = call("DescribeConnections", filters.clone()).await["Connections"][0].clone();
            if connection["Status"] == "testing" { Err(connection.to_string()) } else { Ok(connection) }
        })
        .await;
        let message = tested["LastFailureMessage"].as_str().unwrap_or_default().to_lowercase();
        assert_eq!(
            tested["Status"],
            if expected.is_empty() { "successful" } else { "failed" },
            "{mode} {name}: {tested}"
        );
        assert!(message.contains(expected), "{mode} {name}: {message}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cached_changes_wait_for_the_next_start() {
    let rig = Rig::start("parked", 14, 16, TWO_TABLES, Wishes::default()).await;
    rig.on_source.batch_execute("INSERT INTO app.t SELECT i, 0 FROM generate_series(1, 20000) i").await.unwrap();
    let arn = rig.make_task(json!({"FullLoadSettings": {"StopTaskCachedChangesNotApplied": true}})).await;
    let writer = rig.source.admin("app").await.unwrap();
    let writing = tokio::spawn(async move {
        for i in 1..400 {
            let sql =
                format!("UPDATE app.t SET v = v + {i} WHERE id = {i}; INSERT INTO app.t VALUES (100000 + {i}, {i})");
            writer.batch_execute(&sql).await.unwrap();
        }
    });

    rig.start_task(&arn, "start-replication").await;
    let stopped = rig.wait_for_task("stopped").await;
    assert_eq!(stopped["StopReason"], "Stop Reason STOPPED_AFTER_FULL_LOAD");
    writing.await.unwrap();
    rig.start_task(&arn, "resume-processing").await;
    rig.wait_for_task("running").await;
    rig.drain().await;

    rig.assert_table_equal("app.t").await;
    rig.assert_no_exceptions().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_load_alone_ends_by_itself_and_a_text_key_ends_in_table_error() {
    let rig = Rig::start("alone", 15, 15, TWO_TABLES, Wishes::default()).await;
    rig.on_source
        .batch_execute("INSERT INTO app.t VALUES (1, 1); INSERT INTO app.named VALUES ('a', 1); CREATE VIEW app.seen AS SELECT * FROM app.t;
                        GRANT SELECT ON app.seen TO dms")
        .await
        .unwrap();
    let views = json!([{"rule-type": "selection", "rule-id": "2", "rule-name": "2", "rule-action": "include",
        "object-locator": {"schema-name": "app", "table-name": "seen", "table-type": "view"}}]);
    let arn = rig.make_task_of("full-load", json!({}), views).await;

    for kind in ["start-replication", "resume-processing", "reload-target"] {
        rig.start_task(&arn, kind).await;
        let stopped = rig.wait_for_task("stopped").await;
        assert_eq!(stopped["StopReason"], "Stop Reason FULL_LOAD_ONLY_FINISHED", "{kind}");
        assert_eq!(stopped["ReplicationTaskStats"]["FullLoadProgressPercent"], 100);
        assert_eq!(rig.table_statistics("named").await["TableState"], "Table error", "a text key is a large value");
        rig.assert_table_equal("app.t").await;
    }
    assert_eq!(rig.target_count("SELECT count(*) FROM app.seen").await, 1);
    let slots: i64 = rig.on_source.query_one("SELECT count(*) FROM pg_replication_slots", &[]).await.unwrap().get(0);
    assert_eq!(slots, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_class_change_during_the_load_leaves_tables_in_error() {
    let rig = Rig::start("midload", 17, 17, TWO_TABLES, Wishes::default()).await;
    let held = rig.target.admin("app").await.unwrap();
    held.batch_execute("BEGIN; LOCK TABLE app.t").await.unwrap();
    let arn = rig.make_task(json!({})).await;
    rig.start_task(&arn, "start-replication").await;
    until("the other tables", async || {
        let named = rig.statistics().await;
        let done = named.as_array().unwrap().iter().filter(|table| table["TableState"] == "Table completed").count();
        if done == 2 { Ok(()) } else { Err(named.to_string()) }
    })
    .await;

    rig.call("ModifyReplicationInstance", json!({"ReplicationInstanceArn": rig.instance, "ReplicationInstanceClass": "dms.r5.large", "ApplyImmediately": true})).await;
    rig.wait_for_instance("available").await;
    held.batch_execute("ROLLBACK").await.unwrap();
    rig.wait_for_changes().await;
    rig.drain().await;

    assert_eq!(rig.table_statistics("t").await["TableState"], "Table error");
    assert_eq!(rig.task().await["ReplicationTaskStats"]["TablesErrored"], 1);
    rig.call(
        "ReloadTables",
        json!({"ReplicationTaskArn": arn, "TablesToReload": [{"SchemaName": "app", "TableName": "t"}]}),
    )
    .await;
    until("the reload", async || {
        let table = rig.table_statistics("t").await;
        if table["TableState"] == "Table completed" { Ok(()) } else { Err(table.to_string()) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_position_ends_the_task() {
    let rig = Rig::start("position", 18, 18, TWO_TABLES, Wishes::default()).await;
    let arn = rig.make_task(json!({})).await;
    rig.start_task(&arn, "start-replication").await;
    rig.wait_for_changes().await;
    rig.stop_task(&arn).await;
    let at: String = rig
        .on_source
        .query_one("SELECT to_char(now() AT TIME ZONE 'UTC' + interval '1 second', 'YYYY-MM-DD\"T\"HH24:MI:SS')", &[])
        .await
        .unwrap()
        .get(0);
    for (kind, reason) in
        [("commit_time", "Stop Reason STOPPED_AT_COMMIT_TIME"), ("server_time", "Stop Reason STOPPED_AT_SERVER_TIME")]
    {
        let start = json!({"ReplicationTaskArn": arn, "StartReplicationTaskType": "resume-processing", "CdcStopPosition": format!("{kind}:{at}")});
        rig.call("StartReplicationTask", start).await;

        let mut id =
            rig.on_source.query_one("SELECT coalesce(max(id), 0) FROM app.t", &[]).await.unwrap().get::<_, i32>(0);
        let stopped = until("the end", async || {
            id += 1;
            rig.on_source.execute("INSERT INTO app.t VALUES ($1, 0)", &[&id]).await.unwrap();
            let task = rig.task().await;
            if task["Status"] == "stopped" { Ok(task) } else { Err(task.to_string()) }
        })
        .await;

        assert_eq!(stopped["StopReason"], reason);
        assert!(rig.target_count("SELECT count(*) FROM app.t").await < i64::from(id));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_on_the_target_does_not_keep_a_task_from_stopping() {
    let rig = Rig::start("locked", 18, 18, TWO_TABLES, Wishes::default()).await;
    let arn = rig.make_task(json!({})).await;
    rig.start_task(&arn, "start-replication").await;
    rig.wait_for_changes().await;
    let holder = rig.target.admin("app").await.unwrap();
    holder.batch_execute("BEGIN; LOCK TABLE app.t").await.unwrap();
    rig.on_source.batch_execute("INSERT INTO app.t VALUES (1, 1)").await.unwrap();
    until("the apply to wait", async || {
        let waiting = rig
            .target_count("SELECT count(*) FROM pg_stat_activity WHERE usename = 'dms' AND wait_event_type = 'Lock'")
            .await;
        if waiting > 0 { Ok(()) } else { Err(rig.statistics().await.to_string()) }
    })
    .await;

    rig.stop_task(&arn).await;
    holder.batch_execute("ROLLBACK").await.unwrap();
    rig.start_task(&arn, "resume-processing").await;
    rig.wait_for_task("running").await;
    rig.drain().await;

    rig.assert_table_equal("app.t").await;
    rig.assert_no_exceptions().await;
    let table = rig.table_statistics("t").await;
    assert_eq!((&table["Inserts"], &table["AppliedInserts"]), (&json!(1), &json!(1)), "read twice, captured once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_loaded_again_under_writers_loses_nothing() {
    let rig = Rig::start("again", 16, 18, TWO_TABLES, Wishes::default()).await;
    let arn = rig.make_task(json!({})).await;
    rig.start_task(&arn, "start-replication").await;
    rig.wait_for_changes().await;
    let mut writers = Vec::new();
    for part in 0..4 {
        let writer = rig.source.admin("app").await.unwrap();
        writers.push(tokio::spawn(async move {
            for i in 0..300 {
                let id = part * 1000 + i;
                let sql = format!("INSERT INTO app.t VALUES ({id}, 0); UPDATE app.t SET v = v + 1 WHERE id = {id} / 2");
                writer.batch_execute(&sql).await.unwrap();
            }
        }));
    }

    for _ in 0..5 {
        rig.call(
            "ReloadTables",
            json!({"ReplicationTaskArn": arn, "TablesToReload": [{"SchemaName": "app", "TableName": "t"}]}),
        )
        .await;
        until("the reload", async || {
            let table = rig.table_statistics("t").await;
            if table["TableState"] == "Table completed" { Ok(()) } else { Err(table.to_string()) }
        })
        .await;
    }
    for writer in writers {
        writer.await.unwrap();
    }
    rig.drain().await;

    rig.assert_table_equal("app.t").await;
    rig.assert_no_exceptions().await;
}

/// One transaction changes large values of two tables, neither of which was looked up before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_value_does_not_hold_up_the_look_up_of_another_table() {
    let schema = "CREATE TABLE app.films (id int PRIMARY KEY, film text); CREATE TABLE app.notes (id int PRIMARY KEY, note text);";
    let rig = Rig::start("lookups", 15, 18, schema, Wishes::default()).await;
    let arn = rig.make_task(json!({})).await;
    rig.start_task(&arn, "start-replication").await;
    rig.wait_for_changes().await;

    // Of every length modulo the server's buffer of 8 kB: of some the answer's last message stands in a buffer of its own,
    // and only such an answer comes in more parts than the client keeps unasked.
    let large = "INSERT INTO app.films SELECT n, repeat('x', 20000 + 16 * n) FROM generate_series(1, 600) n";
    let both = format!("BEGIN; {large}; INSERT INTO app.notes VALUES (1, 'short'); COMMIT");
    rig.on_source.batch_execute(&both).await.unwrap();
    rig.drain().await;

    rig.assert_equal().await;
}
