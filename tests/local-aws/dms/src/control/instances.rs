//! Replication instances.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use local_aws_core::{ApiError, Call, Reply};
use serde_json::{Map, Value, json};

use super::errors::{already_exists, invalid_combination, invalid_state, invalid_value, not_found};
use super::events::{About, Happened, tell};
use super::filters::{Item, Rules, select};
use super::identifiers::{arn, identifier, resource_id};
use super::quotas::{Quota, refuse_beyond, refuse_one_more};
use super::records::{Instance, Records, present, zone};
use super::service::Inner;
use super::{tags, task_runs};
use crate::catalog;

/// As AWS takes them.
const CREATION: Duration = Duration::from_secs(600);
const CLASS_CHANGE: Duration = Duration::from_secs(300);
const STORAGE_CHANGE: Duration = Duration::from_secs(300);
const REBOOT: Duration = Duration::from_secs(120);
const DELETION: Duration = Duration::from_secs(240);

const RULES: Rules = Rules {
    kind: "Replication Instance",
    filters: &["replication-instance-arn", "replication-instance-id", "replication-instance-class", "engine-version"],
    largest_page: 100,
    misses_are_errors: true,
};

/// Members that come back as they were sent.
const ECHOED: [&str; 9] = [
    "AllocatedStorage",
    "PubliclyAccessible",
    "MultiAZ",
    "AutoMinorVersionUpgrade",
    "PreferredMaintenanceWindow",
    "KmsKeyId",
    "DnsNameServers",
    "NetworkType",
    "AvailabilityZone",
];

pub(crate) fn create(dms: &Arc<Inner>, call: &Call) -> Reply {
    let identifier = identifier(call, "ReplicationInstanceIdentifier", 63)?;
    let class = known_class(call.required("ReplicationInstanceClass")?)?;
    let engine = call.str("EngineVersion").unwrap_or(catalog::DEFAULT_ENGINE);
    if !catalog::has_engine(engine) {
        return Err(invalid_value(format!("No replication engine found with version: {engine}")));
    }
    if call.flag("MultiAZ") && call.str("AvailabilityZone").is_some() {
        return Err(invalid_combination("The AvailabilityZone parameter must be absent when MultiAZ is true."));
    }
    // With automatic minor upgrades DMS takes its default version even where a lower one is asked for.
    let upgrades = call.input.get("AutoMinorVersionUpgrade").and_then(Value::as_bool).unwrap_or(true);
    let engine = if upgrades && engine < catalog::DEFAULT_ENGINE { catalog::DEFAULT_ENGINE } else { engine };
    let resource_id = resource_id(call)?;
    let mut records = dms.records();
    if records.instances.values().any(|instance| instance.identifier == identifier) {
        return Err(already_exists("Replication Instance", &identifier));
    }
    refuse_one_more(&records, Quota::Instances)?;
    refuse_beyond(&records, Quota::Storage, gib(call.int("AllocatedStorage").unwrap_or(50)))?;
    let subnet_group = call.str("ReplicationSubnetGroupIdentifier").map(str::to_lowercase);
    if let Some(group) = &subnet_group
        && !records.subnet_groups.contains_key(group)
    {
        return Err(not_found(format!("Replication Subnet Group {group} not found.")));
    }
    records.addresses_given = records.addresses_given.wrapping_add(1).max(1);
    let mut echo = echo_defaults();
    for member in ECHOED {
        if let Some(value) = call.input.get(member) {
            echo.insert(member.to_owned(), value.clone());
        }
    }
    let groups = call.input.get("VpcSecurityGroupIds").and_then(Value::as_array).cloned().unwrap_or_default();
    let groups: Vec<_> = groups.iter().map(|group| json!({"VpcSecurityGroupId": group, "Status": "active"})).collect();
    echo.insert("VpcSecurityGroups".to_owned(), json!(groups));
    let instance = Instance {
        arn: arn("rep", &resource_id),
        identifier,
        class,
        status: "creating",
        engine: engine.to_owned(),
        // An address of the loopback net that no database has: servers see where their connections come from.
        address: Ipv4Addr::new(127, 200, 0, records.addresses_given),
        subnet_group,
        pending_class: None,
        echo,
        created: dms.now(),
    };
    let answer = json(&records, &instance);
    let arn = instance.arn.clone();
    tags::set_on_create(&mut records, &arn, call);
    let identifier = instance.identifier.clone();
    records.instances.insert(arn.clone(), instance);
    drop(records);
    tell_of(
        dms,
        &arn,
        &identifier,
        "DMS-EVENT-0067",
        "REPLICATION_INSTANCE_CREATION_STARTED",
        "Creation",
        "Replication instance creation has started.",
    );
    dms.later(CREATION, move |dms| {
        set_status(dms, &arn, "available");
        tell_of(
            dms,
            &arn,
            &identifier,
            "DMS-EVENT-0005",
            "REPLICATION_INSTANCE_CREATION_FINISHED",
            "Creation",
            "Replication instance created.",
        );
    });
    Ok(json!({ "ReplicationInstance": answer }))
}

fn gib(number: i64) -> usize {
    usize::try_from(number).unwrap_or_default()
}

pub(crate) fn modify(dms: &Arc<Inner>, call: &Call) -> Reply {
    let arn = call.required("ReplicationInstanceArn")?.to_owned();
    let class = call.str("ReplicationInstanceClass").map(known_class).transpose()?;
    let engine = call.str("EngineVersion").map(str::to_owned);
    if engine.as_deref().is_some_and(|engine| !catalog::has_engine(engine)) {
        return Err(invalid_value("No replication engine found with that version."));
    }
    let mut records = dms.records();
    let instance = records.instances.get_mut(&arn).ok_or_else(|| missing(&arn))?;
    let grows = call.int("AllocatedStorage").filter(|gib| *gib > i64::from(instance.storage_gib()));
    if instance.status != "storage-full" || grows.is_none() {
        must_be_available(instance)?;
    }
    if let Some(wanted) = grows {
        let more = gib(wanted - i64::from(instance.storage_gib()));
        refuse_beyond(&records, Quota::Storage, more)?;
    }
    let instance = records.instances.get_mut(&arn).ok_or_else(|| missing(&arn))?;
    for member in ECHOED {
        if let Some(value) = call.input.get(member) {
            instance.echo.insert(member.to_owned(), value.clone());
        }
    }
    if let Some(class) = class.filter(|class| *class != instance.class) {
        instance.pending_class = Some(class);
    }
    let upgrade = engine.filter(|engine| *engine != instance.engine);
    let restarts = call.flag("ApplyImmediately") && (instance.pending_class.is_some() || upgrade.is_some());
    if restarts || grows.is_some() {
        instance.status = if upgrade.is_some() { "upgrading" } else { "modifying" };
    }
    let identifier = instance.identifier.clone();
    let answer = json(&records, &records.instances[&arn]);
    drop(records);
    if grows.is_some() && !restarts {
        let arn = arn.clone();
        dms.later(STORAGE_CHANGE, move |dms| set_status(dms, &arn, "available"));
    }
    if restarts {
        task_runs::interrupt(dms, &arn);
        tell_of(
            dms,
            &arn,
            &identifier,
            "DMS-EVENT-0012",
            "REPLICATION_INSTANCE_CLASS_CHANGE_STARTED",
            "ConfigurationChange",
            "Replication instance class change has started.",
        );
        dms.later(CLASS_CHANGE, move |dms| {
            {
                let mut records = dms.records();
                let Some(instance) = records.instances.get_mut(&arn) else { return };
                if let Some(class) = instance.pending_class.take() {
                    instance.class = class;
                }
                if let Some(engine) = upgrade {
                    instance.engine = engine;
                }
                instance.status = "available";
            }
            tell_of(
                dms,
                &arn,
                &identifier,
                "DMS-EVENT-0014",
                "REPLICATION_INSTANCE_CLASS_CHANGE_FINISHED",
                "ConfigurationChange",
                "Replication instance class changed.",
            );
            task_runs::resume_interrupted(dms, &arn);
        });
    }
    Ok(json!({ "ReplicationInstance": answer }))
}

pub(crate) fn reboot(dms: &Arc<Inner>, call: &Call) -> Reply {
    let answer = restart(dms, call.required("ReplicationInstanceArn")?)?;
    Ok(json!({ "ReplicationInstance": answer }))
}

/// Restart an instance, and with it what runs on it; the answer is its description.
pub(crate) fn restart(dms: &Arc<Inner>, arn: &str) -> Result<Value, ApiError> {
    let arn = arn.to_owned();
    let answer = {
        let mut records = dms.records();
        let instance = records.instances.get_mut(&arn).ok_or_else(|| missing(&arn))?;
        must_be_available(instance)?;
        instance.status = "rebooting";
        json(&records, &records.instances[&arn])
    };
    task_runs::interrupt(dms, &arn);
    dms.later(REBOOT, move |dms| {
        set_status(dms, &arn, "available");
        task_runs::resume_interrupted(dms, &arn);
    });
    Ok(answer)
}

pub(crate) fn describe(dms: &Arc<Inner>, call: &Call) -> Reply {
    let records = dms.records();
    let items = records
        .instances
        .values()
        .map(|instance| Item {
            value: json(&records, instance),
            names: vec![
                ("replication-instance-arn", instance.arn.clone()),
                ("replication-instance-id", instance.identifier.clone()),
                ("replication-instance-class", instance.class.clone()),
                ("engine-version", instance.engine.clone()),
            ],
        })
        .collect();
    let page = select(call, items, &RULES)?;
    Ok(present(json!({"ReplicationInstances": page.items, "Marker": page.marker})))
}

pub(crate) fn delete(dms: &Arc<Inner>, call: &Call) -> Reply {
    let arn = call.required("ReplicationInstanceArn")?.to_owned();
    let mut records = dms.records();
    if !records.instances.contains_key(&arn) {
        return Err(missing(&arn));
    }
    if records.tasks.values().any(|task| task.instance == arn) {
        return Err(invalid_state(format!("Replication Instance {arn} has one or more replication tasks.")));
    }
    let instance = records.instances.get_mut(&arn).ok_or_else(|| missing(&arn))?;
    if instance.status == "deleting" {
        return Err(invalid_state(format!("Replication Instance {arn} is being deleted.")));
    }
    instance.status = "deleting";
    let identifier = instance.identifier.clone();
    records.connections.retain(|(of, _), _| *of != arn);
    let answer = json(&records, &records.instances[&arn]);
    drop(records);
    tell_of(
        dms,
        &arn,
        &identifier,
        "DMS-EVENT-0066",
        "REPLICATION_INSTANCE_DELETION_STARTED",
        "Deletion",
        "The replication instance is being deleted.",
    );
    dms.later(DELETION, move |dms| {
        {
            let mut records = dms.records();
            records.instances.remove(&arn);
            records.tags.remove(&arn);
        }
        tell_of(
            dms,
            &arn,
            &identifier,
            "DMS-EVENT-0003",
            "REPLICATION_INSTANCE_DELETED",
            "Deletion",
            "The replication instance has been deleted.",
        );
    });
    Ok(json!({ "ReplicationInstance": answer }))
}

/// The instance behind an ARN.
pub(crate) fn find<'a>(records: &'a Records, arn: &str) -> Result<&'a Instance, ApiError> {
    records.instances.get(arn).ok_or_else(|| missing(arn))
}

/// Refused unless it can work.
pub(crate) fn must_be_available(instance: &Instance) -> Result<(), ApiError> {
    if instance.status == "available" {
        return Ok(());
    }
    Err(invalid_state(format!(
        "Replication Instance {} is not available, its status is {}.",
        instance.identifier, instance.status
    )))
}

fn known_class(class: &str) -> Result<String, ApiError> {
    match catalog::memory_gib(class) {
        Some(_) => Ok(class.to_owned()),
        None => Err(invalid_value(format!("Invalid replication instance class: {class}"))),
    }
}

fn missing(arn: &str) -> ApiError {
    not_found(format!("Replication Instance {arn} not found."))
}

fn set_status(dms: &Inner, arn: &str, status: &'static str) {
    if let Some(instance) = dms.records().instances.get_mut(arn) {
        instance.status = status;
    }
}

fn tell_of(
    dms: &Inner,
    arn: &str,
    identifier: &str,
    id: &'static str,
    kind: &'static str,
    category: &'static str,
    message: &str,
) {
    let message = message.to_owned();
    tell(dms, Happened { about: About::Instance, arn, identifier, id: Some(id), kind, category, message });
}

fn echo_defaults() -> Map<String, Value> {
    let defaults = json!({"AllocatedStorage": 50, "PubliclyAccessible": true, "MultiAZ": false,
        "AutoMinorVersionUpgrade": true, "PreferredMaintenanceWindow": "sun:06:00-sun:14:00",
        "AvailabilityZone": zone(0), "NetworkType": "IPV4",
        "KmsKeyId": "arn:aws:kms:eu-west-1:111122223333:key/4c1731d6-5435-ed4d-be13-d53411a7cfbd"});
    match defaults {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

fn json(records: &Records, instance: &Instance) -> Value {
    let mut members = instance.echo.clone();
    // An instance has no address before it exists.
    let address = (instance.status != "creating").then(|| instance.address.to_string());
    let addresses: Option<Vec<_>> = address.clone().map(|address| vec![address]);
    let group = instance.subnet_group.as_ref().and_then(|group| records.subnet_groups.get(group));
    let own = present(json!({
        "ReplicationInstanceIdentifier": instance.identifier,
        "ReplicationInstanceClass": instance.class,
        "ReplicationInstanceStatus": instance.status,
        "ReplicationInstanceArn": instance.arn,
        "InstanceCreateTime": instance.created,
        "EngineVersion": instance.engine,
        "ReplicationInstancePrivateIpAddress": address,
        "ReplicationInstancePrivateIpAddresses": addresses,
        "PendingModifiedValues": present(json!({"ReplicationInstanceClass": instance.pending_class})),
        "ReplicationSubnetGroup": group.map(super::records::SubnetGroup::json),
    }));
    if let Value::Object(own) = own {
        members.extend(own);
    }
    Value::Object(members)
}
