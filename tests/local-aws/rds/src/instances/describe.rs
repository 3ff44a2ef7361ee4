//! DescribeDBInstances and the shape of a `DBInstance`.

use local_aws_core::{Call, Reply};
use serde_json::{Value, json};

use crate::names::{ENDPOINT_ZONE, instance_arn};
use crate::paging::{Filters, answer};
use crate::service::Shared;
use crate::state::{Instance, State};
use crate::tags;

impl Shared {
    pub(crate) fn describe_instances(&self, call: &Call) -> Reply {
        let filters = Filters::of(call, &["db-instance-id", "dbi-resource-id", "engine", "db-cluster-id", "domain"])?;
        let state = self.state();
        if let Some(identifier) = call.str("DBInstanceIdentifier") {
            // An ARN is as good as an identifier.
            let identifier = identifier.rsplit(':').next().unwrap_or(identifier);
            let instance = state.instance(identifier)?;
            return answer(call, "DBInstances", vec![self.instance_json(&state, instance)]);
        }
        let wanted = |instance: &&Instance| {
            let by_id = |id: &str| filters.allow("db-instance-id", id);
            (by_id(&instance.identifier) || by_id(&instance_arn(&instance.identifier)))
                && filters.allow("dbi-resource-id", &instance.resource_id)
                && filters.allow("engine", "postgres")
                && filters.allow("db-cluster-id", "")
                && filters.allow("domain", "")
        };
        let found = state.instances.values().filter(wanted);
        answer(call, "DBInstances", found.map(|instance| self.instance_json(&state, instance)).collect())
    }

    pub(crate) fn instance_json(&self, state: &State, instance: &Instance) -> Value {
        let mut shown = instance.attributes.clone();
        let arn = instance_arn(&instance.identifier);
        let typed = json!({
            "DBInstanceIdentifier": instance.identifier,
            "DBInstanceArn": arn,
            "DbiResourceId": instance.resource_id,
            "DBInstanceClass": instance.class,
            "DBInstanceStatus": instance.status.text(),
            "Engine": "postgres",
            "EngineVersion": instance.version.text,
            "MasterUsername": instance.master_username,
            "DBParameterGroups": [{
                "DBParameterGroupName": instance.group.name,
                "ParameterApplyStatus": instance.group.status(),
            }],
            "DBSecurityGroups": [],
            "PendingModifiedValues": pending_json(instance),
            "ReadReplicaDBInstanceIdentifiers": instance.replicas,
            "DomainMemberships": [],
            "TagList": tags::to_json(&state.tags_of(&arn)),
        });
        shown.extend(typed.as_object().cloned().unwrap_or_default());
        if let Some(at) = instance.backed_up_at {
            shown.insert("LatestRestorableTime".to_owned(), at.into());
        }
        // A new instance has neither before its server runs.
        if instance.cluster.is_some() {
            let port = self.around.port;
            let endpoint = json!({ "Address": instance.host_name, "Port": port, "HostedZoneId": ENDPOINT_ZONE });
            shown.insert("Endpoint".to_owned(), endpoint);
            shown.insert("InstanceCreateTime".to_owned(), instance.created_at.into());
        }
        Value::Object(shown)
    }
}

/// The members of `PendingModifiedValues` differ from those of the request in three names and hide the password.
fn pending_json(instance: &Instance) -> Value {
    let shown = instance.pending.iter().filter_map(|(member, value)| match member.as_str() {
        "MasterUserPassword" => Some(("MasterUserPassword", json!("****"))),
        "EnableIAMDatabaseAuthentication" => Some(("IAMDatabaseAuthenticationEnabled", value.clone())),
        "AllocatedStorage"
        | "BackupRetentionPeriod"
        | "CACertificateIdentifier"
        | "DBInstanceClass"
        | "DBSubnetGroupName"
        | "DedicatedLogVolume"
        | "EngineVersion"
        | "Iops"
        | "LicenseModel"
        | "MultiAZ"
        | "ProcessorFeatures"
        | "StorageThroughput"
        | "StorageType" => Some((member.as_str(), value.clone())),
        _ => None,
    });
    shown.map(|(member, value)| (member.to_owned(), value)).collect::<serde_json::Map<_, _>>().into()
}
