//! A Region with nothing in it, and how tests talk to it.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use local_aws_core::model::{Model, check_output};
use local_aws_core::{ApiError, Call, Clock, Event, EventBus, Hosts, Service};
use local_aws_postgres::{CertificateAuthority, Servers, connect, connect_over_tls, free_port};
use local_aws_rds::{Rds, Surroundings};
use serde_json::{Value, json};
use tokio::sync::broadcast;
use tokio_postgres::{Client, Config};

/// AWS's minutes are tenths of a second here.
const SCALE: f64 = 0.002;
const PATIENCE: Duration = Duration::from_secs(60);
pub(crate) const PASSWORD: &str = "a-master-password";

pub(crate) struct Region {
    pub(crate) rds: Rds,
    pub(crate) hosts: Hosts,
    pub(crate) port: u16,
    pub(crate) events: broadcast::Receiver<Event>,
    ca: PathBuf,
}

impl Region {
    pub(crate) fn new() -> Self {
        let servers = Servers::for_tests().clone();
        let folder = servers.scratch_folder().join(format!("region-{}", fastrand::u64(..)));
        std::fs::create_dir(&folder).unwrap();
        let authority = CertificateAuthority::create(&folder).unwrap();
        let ca = authority.certificate_path().to_owned();
        let (hosts, bus, port) = (Hosts::default(), EventBus::default(), free_port().unwrap());
        let events = bus.subscribe();
        let clock = Clock::new(SCALE);
        let rds = Rds::new(Surroundings {
            clock,
            hosts: hosts.clone(),
            events: bus,
            servers,
            authority,
            port,
            secrets: None,
        });
        Self { rds, hosts, port, events, ca }
    }

    /// Make a call; its answer must fit the model.
    pub(crate) async fn try_call(&self, operation: &str, input: Value) -> Result<Value, ApiError> {
        let reply = self.rds.call(&Call::new(operation, input)).await?;
        let model = Model::of("rds").unwrap();
        let problems = check_output(model, &model.operations[operation], &reply);
        assert!(problems.is_empty(), "{operation}: {problems:?} in {reply:#}");
        Ok(reply)
    }

    pub(crate) async fn call(&self, operation: &str, input: Value) -> Value {
        self.try_call(operation, input.clone()).await.unwrap_or_else(|error| panic!("{operation} {input}: {error}"))
    }

    /// The code of a refusal.
    pub(crate) async fn refusal(&self, operation: &str, input: Value) -> ApiError {
        match self.try_call(operation, input.clone()).await {
            Ok(reply) => panic!("{operation} {input} was accepted: {reply:#}"),
            Err(error) => error,
        }
    }

    /// Make a call as soon as the instance's status allows it: `available` alone may be a flap.
    pub(crate) async fn call_when_ready(&self, operation: &str, input: Value) -> Value {
        let began = Instant::now();
        loop {
            match self.try_call(operation, input.clone()).await {
                Ok(reply) => return reply,
                Err(error) if error.code == "InvalidDBInstanceState" && began.elapsed() < PATIENCE => pause().await,
                Err(error) => panic!("{operation} {input}: {error}"),
            }
        }
    }

    pub(crate) async fn instance(&self, id: &str) -> Value {
        let reply = self.call("DescribeDBInstances", json!({ "DBInstanceIdentifier": id })).await;
        reply["DBInstances"][0].clone()
    }

    pub(crate) async fn wait_for_instance(&self, id: &str, what: &str, condition: impl Fn(&Value) -> bool) -> Value {
        let began = Instant::now();
        loop {
            let instance = self.instance(id).await;
            if condition(&instance) {
                return instance;
            }
            assert!(began.elapsed() < PATIENCE, "waited until {what}: {instance:#}");
            pause().await;
        }
    }

    pub(crate) async fn available(&self, id: &str) -> Value {
        self.wait_for_instance(id, "available", |instance| instance["DBInstanceStatus"] == "available").await
    }

    /// Nothing is queued or under way any more.
    pub(crate) async fn settled(&self, id: &str) -> Value {
        let is_settled = |instance: &Value| {
            instance["DBInstanceStatus"] == "available" && instance["PendingModifiedValues"] == json!({})
        };
        self.wait_for_instance(id, "settled", is_settled).await
    }

    /// An available instance without backups.
    pub(crate) async fn create(&self, id: &str, version: &str, more: Value) -> Value {
        let mut input = json!({
            "DBInstanceIdentifier": id,
            "DBInstanceClass": "db.t3.micro",
            "Engine": "postgres",
            "EngineVersion": version,
            "AllocatedStorage": 20,
            "MasterUsername": "boss",
            "MasterUserPassword": PASSWORD,
            "DBName": "app",
            "BackupRetentionPeriod": 0,
        });
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.call("CreateDBInstance", input).await;
        self.available(id).await
    }

    /// A group of a major with logical replication on; the answer is its name.
    pub(crate) async fn logical_group(&self, major: u16) -> String {
        let name = format!("logical-{major}");
        let group = json!({ "DBParameterGroupName": name, "DBParameterGroupFamily": format!("postgres{major}"), "Description": "d" });
        self.call("CreateDBParameterGroup", group).await;
        let logical = json!({ "DBParameterGroupName": name, "Parameters": [
            { "ParameterName": "rds.logical_replication", "ParameterValue": "1", "ApplyMethod": "pending-reboot" }] });
        self.call("ModifyDBParameterGroup", logical).await;
        name
    }

    /// An available instance, restored from a snapshot.
    pub(crate) async fn restore(&self, id: &str, snapshot: &str, more: Value) -> Value {
        let mut input = json!({ "DBInstanceIdentifier": id, "DBSnapshotIdentifier": snapshot });
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.call("RestoreDBInstanceFromDBSnapshot", input).await;
        self.available(id).await
    }

    /// An available snapshot.
    pub(crate) async fn snapshot(&self, instance: &str, name: &str) -> Value {
        let input = json!({ "DBInstanceIdentifier": instance, "DBSnapshotIdentifier": name });
        self.call_when_ready("CreateDBSnapshot", input).await;
        let began = Instant::now();
        loop {
            let found = self.call("DescribeDBSnapshots", json!({ "DBSnapshotIdentifier": name })).await;
            let snapshot = found["DBSnapshots"][0].clone();
            if snapshot["Status"] == "available" {
                return snapshot;
            }
            assert!(began.elapsed() < PATIENCE, "waited for a snapshot: {snapshot:#}");
            pause().await;
        }
    }

    pub(crate) fn login(&self, id: &str, user: &str, database: &str) -> Config {
        let host = format!("{id}.cpgleaplocal.eu-west-1.rds.amazonaws.com");
        let address = self.hosts.get(&host).expect("an available instance has a name");
        let mut config = Config::new();
        config.host(host).hostaddr(address.into()).port(self.port).user(user).password(PASSWORD).dbname(database);
        config
    }

    /// Over TLS, with the certificate and the endpoint's name verified.
    pub(crate) async fn try_connect(&self, id: &str, user: &str, database: &str) -> Result<Client, String> {
        connect_over_tls(&self.login(id, user, database), &self.ca).await.map_err(|error| error.to_string())
    }

    pub(crate) async fn master(&self, id: &str) -> Client {
        self.try_connect(id, "boss", "app").await.unwrap()
    }

    pub(crate) async fn admin(&self, id: &str) -> Client {
        connect(&self.rds.admin_config(id).unwrap()).await.unwrap()
    }

    pub(crate) async fn show(&self, id: &str, parameter: &str) -> String {
        text(&self.master(id).await, &format!("SHOW {parameter}")).await
    }

    pub(crate) async fn event_messages(&self, id: &str) -> Vec<String> {
        let input = json!({ "SourceType": "db-instance", "SourceIdentifier": id, "Duration": 60 });
        let events = self.call("DescribeEvents", input).await["Events"].as_array().unwrap().clone();
        events.iter().map(|event| event["Message"].as_str().unwrap().to_owned()).collect()
    }

    /// The event numbers that were published about an instance so far.
    pub(crate) fn published(&mut self, id: &str) -> Vec<String> {
        let mut ids = Vec::new();
        while let Ok(event) = self.events.try_recv() {
            if event.detail["SourceIdentifier"] == id {
                ids.push(event.detail["EventID"].as_str().unwrap().trim_start_matches("RDS-EVENT-").to_owned());
            }
        }
        ids
    }
}

/// The first column of the only row, as text.
pub(crate) async fn text(client: &Client, query: &str) -> String {
    let rows = client.simple_query(query).await.unwrap_or_else(|error| panic!("{query}: {error:?}"));
    rows.iter()
        .find_map(|message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        })
        .unwrap_or_else(|| panic!("{query} gave no row"))
}

pub(crate) async fn pause() {
    tokio::time::sleep(Duration::from_millis(15)).await;
}

pub(crate) async fn wait_until(what: &str, condition: impl AsyncFn() -> bool) {
    let began = Instant::now();
    while !condition().await {
        assert!(began.elapsed() < PATIENCE, "waited until {what}");
        pause().await;
    }
}
