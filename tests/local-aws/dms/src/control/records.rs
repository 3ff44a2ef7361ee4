//! What the control plane remembers.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use serde_json::{Map, Value, json};
use tokio::sync::{mpsc, watch};

use super::quotas::Quota;
use crate::data::lsn::Lsn;
use crate::data::statistics::{Progress, TableName};
use crate::data::task::{Halt, Migration, Parked};

/// Everything, by ARN unless said otherwise.
#[derive(Default)]
pub(crate) struct Records {
    /// By identifier.
    pub(crate) subnet_groups: BTreeMap<String, SubnetGroup>,
    pub(crate) instances: BTreeMap<String, Instance>,
    pub(crate) certificates: BTreeMap<String, Certificate>,
    pub(crate) endpoints: BTreeMap<String, Endpoint>,
    /// By instance and endpoint.
    pub(crate) connections: BTreeMap<(String, String), Connection>,
    pub(crate) tasks: BTreeMap<String, Task>,
    pub(crate) tags: BTreeMap<String, BTreeMap<String, String>>,
    pub(crate) events: Vec<EventRecord>,
    /// Instances made so far: each gets an address of its own.
    pub(crate) addresses_given: u8,
    /// Quotas that are not what a new account has.
    pub(crate) maxima: BTreeMap<Quota, usize>,
}

pub(crate) struct SubnetGroup {
    pub(crate) identifier: String,
    pub(crate) description: String,
    pub(crate) subnets: Vec<String>,
}

pub(crate) struct Instance {
    pub(crate) arn: String,
    pub(crate) identifier: String,
    pub(crate) class: String,
    pub(crate) status: &'static str,
    pub(crate) engine: String,
    pub(crate) address: Ipv4Addr,
    pub(crate) subnet_group: Option<String>,
    /// Waiting for the maintenance window.
    pub(crate) pending_class: Option<String>,
    /// Members that come back as they were sent.
    pub(crate) echo: Map<String, Value>,
    /// Epoch seconds.
    pub(crate) created: f64,
}

impl Instance {
    /// `AllocatedStorage`.
    pub(crate) fn storage_gib(&self) -> u32 {
        self.echo.get("AllocatedStorage").and_then(Value::as_u64).and_then(|gib| u32::try_from(gib).ok()).unwrap_or(0)
    }
}

pub(crate) struct Certificate {
    pub(crate) arn: String,
    pub(crate) identifier: String,
    pub(crate) pem: String,
    /// Epoch seconds.
    pub(crate) created: f64,
}

pub(crate) struct Endpoint {
    pub(crate) arn: String,
    pub(crate) identifier: String,
    /// `SOURCE` or `TARGET`, as it comes back.
    pub(crate) kind: String,
    pub(crate) engine: String,
    pub(crate) status: &'static str,
    /// Top-level members that come back, the password never among them.
    pub(crate) echo: Map<String, Value>,
    /// `PostgreSQLSettings`, the password included.
    pub(crate) settings: Map<String, Value>,
    /// The top-level password.
    pub(crate) password: Option<String>,
}

#[derive(Clone)]
pub(crate) struct Connection {
    pub(crate) status: &'static str,
    pub(crate) failure: Option<String>,
}

pub(crate) struct Task {
    pub(crate) arn: String,
    pub(crate) resource_id: String,
    pub(crate) identifier: String,
    pub(crate) source: String,
    pub(crate) target: String,
    pub(crate) instance: String,
    pub(crate) migration: Migration,
    pub(crate) mappings: String,
    pub(crate) settings: Value,
    pub(crate) status: &'static str,
    pub(crate) stop_reason: Option<String>,
    pub(crate) failure: Option<String>,
    pub(crate) start_position: Option<Lsn>,
    pub(crate) start_position_text: Option<String>,
    pub(crate) stop_position: Option<String>,
    /// Epoch seconds.
    pub(crate) created: f64,
    pub(crate) fresh_start: Option<f64>,
    pub(crate) started: Option<f64>,
    pub(crate) stopped: Option<f64>,
    pub(crate) progress: Arc<Progress>,
    pub(crate) parked: Arc<Mutex<Parked>>,
    /// Set while it runs.
    pub(crate) run: Option<RunHandles>,
}

/// What the control plane holds of a running task.
#[derive(Clone)]
pub(crate) struct RunHandles {
    pub(crate) halt: watch::Sender<Halt>,
    pub(crate) reloads: mpsc::UnboundedSender<TableName>,
}

#[derive(Clone)]
pub(crate) struct EventRecord {
    /// `replication-instance` or `replication-task`.
    pub(crate) source_type: &'static str,
    pub(crate) source_identifier: String,
    pub(crate) category: &'static str,
    pub(crate) message: String,
    /// Epoch seconds.
    pub(crate) at: f64,
}

/// A JSON object without its null members: an absent member is absent on the wire.
pub(crate) fn present(value: Value) -> Value {
    match value {
        Value::Object(members) => Value::Object(members.into_iter().filter(|(_, value)| !value.is_null()).collect()),
        other => other,
    }
}

/// The Availability Zone of a subnet: the stand-in has no network, so the order decides.
pub(crate) fn zone(position: usize) -> &'static str {
    ["eu-west-1a", "eu-west-1b", "eu-west-1c"][position % 3]
}

impl SubnetGroup {
    pub(crate) fn json(&self) -> Value {
        let subnets: Vec<_> = self
            .subnets
            .iter()
            .enumerate()
            .map(|(position, subnet)| {
                json!({"SubnetIdentifier": subnet, "SubnetAvailabilityZone": {"Name": zone(position)},
                    "SubnetStatus": "Active"})
            })
            .collect();
        json!({"ReplicationSubnetGroupIdentifier": self.identifier,
            "ReplicationSubnetGroupDescription": self.description, "VpcId": "vpc-local",
            "SubnetGroupStatus": "Complete", "Subnets": subnets, "SupportedNetworkTypes": ["IPV4"]})
    }
}

impl Connection {
    pub(crate) fn json(&self, instance: &Instance, endpoint: &Endpoint) -> Value {
        present(json!({"ReplicationInstanceArn": instance.arn, "EndpointArn": endpoint.arn, "Status": self.status,
            "LastFailureMessage": self.failure, "EndpointIdentifier": endpoint.identifier,
            "ReplicationInstanceIdentifier": instance.identifier}))
    }
}
