//! Two real servers, a DMS between them, and the calls of a patient client.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use local_aws_core::{ApiError, Call, Clock, EventBus, Hosts, ReadSecret, Service};
use local_aws_dms::{Dms, DmsSettings, Fault};
use local_aws_postgres::{Cluster, Servers, Setting};
use serde_json::{Value, json};
use tokio_postgres::Client;

/// AWS's minutes become tens of milliseconds.
pub(crate) const SCALE: f64 = 0.0005;
/// How long anything may take.
pub(crate) const LIMIT: Duration = Duration::from_secs(40);
/// DMS's password on both sides.
const PASSWORD: &str = "dms-secret";

/// Secrets by name.
#[derive(Default)]
pub(crate) struct Secrets(HashMap<String, String>);

impl ReadSecret for Secrets {
    fn secret_string(&self, id: &str) -> Result<String, ApiError> {
        self.0.get(id).cloned().ok_or_else(|| ApiError::new(400, "ResourceNotFoundException", "no such secret"))
    }
}

/// A source, a target and a DMS with a replication instance and two endpoints.
pub(crate) struct Rig {
    pub(crate) dms: Dms,
    pub(crate) source: Cluster,
    pub(crate) target: Cluster,
    /// The superuser on the source's database `app`.
    pub(crate) on_source: Client,
    /// The superuser on the target's database `app`.
    pub(crate) on_target: Client,
    pub(crate) instance: String,
    pub(crate) source_endpoint: String,
    pub(crate) target_endpoint: String,
    pub(crate) bus: EventBus,
}

/// What a test changes of the usual arrangement.
#[derive(Default)]
pub(crate) struct Wishes {
    pub(crate) source_settings: Value,
    pub(crate) target_settings: Value,
    pub(crate) faults: Vec<&'static str>,
    pub(crate) class: Option<&'static str>,
    /// The target's foreign keys and triggers hold.
    pub(crate) no_replica_role: bool,
}

impl Rig {
    /// Servers of two majors, both with the given schema, and everything up to tested connections.
    pub(crate) async fn start(name: &str, from: u16, to: u16, schema: &str, wishes: Wishes) -> Self {
        let servers = Servers::for_tests();
        let settings = vec![Setting::new("wal_level", "logical"), Setting::new("wal_sender_timeout", "0")];
        let source = servers.start_plain(from, &format!("{name}-source"), settings).await.unwrap();
        let target = servers.start_plain(to, &format!("{name}-target"), vec![]).await.unwrap();
        let on_source = prepare(&source, schema).await;
        let on_target = prepare(&target, schema).await;
        let (hosts, mut secrets) = (Hosts::default(), HashMap::new());
        for (side, cluster) in [("source", &source), ("target", &target)] {
            let listen = cluster.files().unwrap().listen;
            let host = format!("{name}-{side}.abc.eu-west-1.rds.amazonaws.com");
            hosts.set(&host, listen.address);
            let secret = json!({"host": host, "port": listen.port, "username": "dms", "password": PASSWORD});
            secrets.insert(side.to_owned(), secret.to_string());
        }
        let bus = EventBus::default();
        let faults = wishes.faults.iter().map(|text| text.parse::<Fault>().unwrap()).collect();
        let dms = Dms::new(
            Clock::new(SCALE),
            hosts,
            bus.clone(),
            Arc::new(Secrets(secrets)),
            DmsSettings { faults, ..DmsSettings::default() },
        );
        let mut rig = Self {
            dms,
            source,
            target,
            on_source,
            on_target,
            instance: String::new(),
            source_endpoint: String::new(),
            target_endpoint: String::new(),
            bus,
        };
        rig.make_resources(&wishes).await;
        rig
    }

    async fn make_resources(&mut self, wishes: &Wishes) {
        let class = wishes.class.unwrap_or("dms.t3.medium");
        let answer = self
            .call(
                "CreateReplicationInstance",
                json!({"ReplicationInstanceIdentifier": "ri",
                "ReplicationInstanceClass": class, "EngineVersion": "3.6.1", "AutoMinorVersionUpgrade": false}),
            )
            .await;
        answer["ReplicationInstance"]["ReplicationInstanceArn"].as_str().unwrap().clone_into(&mut self.instance);
        self.wait_for_instance("available").await;
        self.source_endpoint = self.make_endpoint("source", &wishes.source_settings).await;
        let replica =
            if wishes.no_replica_role { Value::Null } else { json!("SET session_replication_role = 'replica'") };
        let mut target = json!({"AfterConnectScript": replica});
        merge(&mut target, &wishes.target_settings);
        self.target_endpoint = self.make_endpoint("target", &target).await;
        for endpoint in [self.source_endpoint.clone(), self.target_endpoint.clone()] {
            self.test_connection(&endpoint).await;
        }
    }

    async fn make_endpoint(&self, side: &str, extra: &Value) -> String {
        let mut settings = json!({"SecretsManagerSecretId": side, "SecretsManagerAccessRoleArn": "arn:role",
            "DatabaseName": "app", "CaptureDdls": false, "PluginName": "test-decoding",
            "MapBooleanAsBoolean": true});
        merge(&mut settings, extra);
        let input = json!({"EndpointIdentifier": side, "EndpointType": side, "EngineName": "postgres",
            "ExtraConnectionAttributes": "MapUnboundedNumericAsString=true", "PostgreSQLSettings": settings});
        let answer = self.call("CreateEndpoint", input).await;
        answer["Endpoint"]["EndpointArn"].as_str().unwrap().to_owned()
    }

    /// Call, and fail the test on an error.
    pub(crate) async fn call(&self, operation: &str, input: Value) -> Value {
        let without_nulls = drop_nulls(input);
        match self.dms.call(&Call::new(operation, without_nulls)).await {
            Ok(answer) => answer,
            Err(error) => panic!("{operation}: {error}"),
        }
    }

    /// Call, and give the error.
    pub(crate) async fn refused(&self, operation: &str, input: Value) -> ApiError {
        match self.dms.call(&Call::new(operation, input)).await {
            Ok(answer) => panic!("{operation} was not refused: {answer}"),
            Err(error) => error,
        }
    }

    pub(crate) async fn test_connection(&self, endpoint: &str) -> Value {
        let pair = json!({"ReplicationInstanceArn": self.instance, "EndpointArn": endpoint});
        self.call("TestConnection", pair).await;
        let filters = json!({"Filters": [{"Name": "endpoint-arn", "Values": [endpoint]}]});
        until("a connection test", async || {
            let answer = self.call("DescribeConnections", filters.clone()).await;
            let connection = answer["Connections"][0].clone();
            if connection["Status"] == "testing" { Err(connection.to_string()) } else { Ok(connection) }
        })
        .await
    }

    pub(crate) async fn wait_for_instance(&self, status: &str) -> Value {
        until("the instance", async || {
            let answer = self.call("DescribeReplicationInstances", json!({})).await;
            let instance = answer["ReplicationInstances"][0].clone();
            if instance["ReplicationInstanceStatus"] == status { Ok(instance) } else { Err(instance.to_string()) }
        })
        .await
    }

    /// A ready task of full load and changes for schema `app`.
    pub(crate) async fn make_task(&self, settings: Value) -> String {
        self.make_task_of("full-load-and-cdc", settings, json!([])).await
    }

    pub(crate) async fn make_task_of(&self, migration: &str, settings: Value, more_rules: Value) -> String {
        let mut rules =
            vec![json!({"rule-type": "selection", "rule-id": "1", "rule-name": "1", "rule-action": "include",
            "object-locator": {"schema-name": "app", "table-name": "%"}})];
        rules.extend(more_rules.as_array().unwrap().iter().cloned());
        let mut complete = json!({"FullLoadSettings": {"TargetTablePrepMode": "TRUNCATE_BEFORE_LOAD"},
            "TargetMetadata": {"FullLobMode": true, "LimitedSizeLobMode": false}});
        merge(&mut complete, &settings);
        let answer = self
            .call(
                "CreateReplicationTask",
                json!({"ReplicationTaskIdentifier": "task",
                "SourceEndpointArn": self.source_endpoint, "TargetEndpointArn": self.target_endpoint,
                "ReplicationInstanceArn": self.instance, "MigrationType": migration,
                "TableMappings": json!({"rules": rules}).to_string(),
                "ReplicationTaskSettings": complete.to_string()}),
            )
            .await;
        let arn = answer["ReplicationTask"]["ReplicationTaskArn"].as_str().unwrap().to_owned();
        self.wait_for_task("ready").await;
        arn
    }

    pub(crate) async fn start_task(&self, arn: &str, kind: &str) {
        self.call("StartReplicationTask", json!({"ReplicationTaskArn": arn, "StartReplicationTaskType": kind})).await;
    }

    pub(crate) async fn stop_task(&self, arn: &str) -> Value {
        self.call("StopReplicationTask", json!({"ReplicationTaskArn": arn})).await;
        self.wait_for_task("stopped").await
    }

    pub(crate) async fn task(&self) -> Value {
        self.call("DescribeReplicationTasks", json!({"WithoutSettings": true})).await["ReplicationTasks"][0].clone()
    }

    pub(crate) async fn wait_for_task(&self, status: &str) -> Value {
        until("the task", async || {
            let task = self.task().await;
            if task["Status"] == status { Ok(task) } else { Err(format!("{task} {}", self.statistics().await)) }
        })
        .await
    }

    /// The load is over and changes flow.
    pub(crate) async fn wait_for_changes(&self) -> Value {
        until("the end of the load", async || {
            let task = self.task().await;
            let is_over = task["ReplicationTaskStats"]["FullLoadProgressPercent"] == 100;
            if is_over && task["Status"] == "running" {
                Ok(task)
            } else {
                Err(format!("{task} {}", self.statistics().await))
            }
        })
        .await
    }

    pub(crate) async fn statistics(&self) -> Value {
        let task = self.task().await;
        let arn = json!({"ReplicationTaskArn": task["ReplicationTaskArn"]});
        self.call("DescribeTableStatistics", arn).await["TableStatistics"].clone()
    }

    pub(crate) async fn table_statistics(&self, table: &str) -> Value {
        let all = self.statistics().await;
        let found = all.as_array().unwrap().iter().find(|entry| entry["TableName"] == table).cloned();
        found.unwrap_or_else(|| panic!("{table} is in {all}"))
    }

    /// Write a marker row and wait until it is on the target: everything committed before is applied.
    pub(crate) async fn drain(&self) {
        let id: i64 =
            self.on_source.query_one("INSERT INTO app.marker DEFAULT VALUES RETURNING id", &[]).await.unwrap().get(0);
        until("the marker", async || {
            let row = self.on_target.query_opt("SELECT 1 FROM app.marker WHERE id = $1", &[&id]).await.unwrap();
            if row.is_some() { Ok(()) } else { Err(format!("{} {}", self.task().await, self.statistics().await)) }
        })
        .await;
    }

    /// Every table of schema `app` holds the same rows on both sides.
    pub(crate) async fn assert_equal(&self) {
        let tables = "SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) FROM pg_tables WHERE schemaname \
                      = 'app' ORDER BY 1";
        for row in self.on_source.query(tables, &[]).await.unwrap() {
            let table: String = row.get(0);
            self.assert_table_equal(&table).await;
        }
    }

    pub(crate) async fn assert_table_equal(&self, table: &str) {
        let sql = format!("SELECT t::text FROM {table} t ORDER BY 1");
        let rows = async |client: &Client| -> Vec<String> {
            client.query(&sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
        };
        let (source, target) = (rows(&self.on_source).await, rows(&self.on_target).await);
        let first = source.iter().zip(&target).find(|(left, right)| left != right);
        let cut = |text: &String| text.chars().take(300).collect::<String>();
        assert!(
            source == target,
            "{table}: {} rows against {}, first difference {:?}; {}",
            source.len(),
            target.len(),
            first.map(|(left, right)| (cut(left), cut(right))),
            self.statistics().await
        );
    }

    /// A single number from the target.
    pub(crate) async fn target_count(&self, sql: &str) -> i64 {
        self.on_target.query_one(sql, &[]).await.unwrap().get(0)
    }

    /// Nothing was left to the exceptions table.
    pub(crate) async fn assert_no_exceptions(&self) {
        let sql = "SELECT \"STATEMENT\" || ' ' || \"ERROR\" FROM public.awsdms_apply_exceptions";
        let exceptions: Vec<String> =
            self.on_target.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
        assert!(exceptions.is_empty(), "{exceptions:?}");
    }
}

async fn prepare(cluster: &Cluster, schema: &str) -> Client {
    let admin = cluster.admin("postgres").await.unwrap();
    admin.batch_execute("CREATE DATABASE app").await.unwrap();
    let client = cluster.admin("app").await.unwrap();
    client
        .batch_execute(&format!("CREATE ROLE dms LOGIN REPLICATION PASSWORD '{PASSWORD}'; CREATE SCHEMA app;"))
        .await
        .unwrap();
    client.batch_execute("CREATE TABLE app.marker (id bigserial PRIMARY KEY)").await.unwrap();
    client.batch_execute(schema).await.unwrap();
    client
        .batch_execute(
            "GRANT USAGE, CREATE ON SCHEMA app, public TO dms; GRANT ALL ON ALL TABLES IN SCHEMA app TO dms;",
        )
        .await
        .unwrap();
    if cluster.major() >= 15 {
        client.batch_execute("GRANT SET ON PARAMETER session_replication_role TO dms").await.unwrap();
    } else {
        client.batch_execute("ALTER ROLE dms SUPERUSER").await.unwrap();
    }
    client
}

/// Wait for a condition; the last state is in the failure.
pub(crate) async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Result<T, String>) -> T {
    let give_up = Instant::now() + LIMIT;
    loop {
        match look().await {
            Ok(found) => return found,
            Err(last) => assert!(Instant::now() < give_up, "waited for {what}: {last}"),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

pub(crate) fn merge(into: &mut Value, changes: &Value) {
    let Value::Object(changes) = changes else { return };
    for (key, value) in changes {
        match (into.get_mut(key), value) {
            (Some(inner @ Value::Object(_)), Value::Object(_)) => merge(inner, value),
            _ => into[key] = value.clone(),
        }
    }
}

fn drop_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => members
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| (key, drop_nulls(value)))
            .collect(),
        other => other,
    }
}
