//! Replication subnet groups.

use std::sync::Arc;

use local_aws_core::{ApiError, Call, Reply};
use serde_json::{Value, json};

use super::errors::{already_exists, invalid_state, invalid_value, not_found};
use super::filters::{Item, Rules, select};
use super::identifiers::arn;
use super::quotas::{Quota, refuse_one_more};
use super::records::{SubnetGroup, present};
use super::service::Inner;
use super::tags;

const RULES: Rules = Rules {
    kind: "Replication Subnet Group",
    filters: &["replication-subnet-group-id"],
    largest_page: 100,
    misses_are_errors: true,
};

pub(crate) fn create(dms: &Arc<Inner>, call: &Call) -> Reply {
    let identifier = call.required("ReplicationSubnetGroupIdentifier")?.to_lowercase();
    if identifier == "default" || identifier.is_empty() || identifier.len() > 255 {
        return Err(invalid_value(
            "The ReplicationSubnetGroupIdentifier must be 1 to 255 characters and not \"default\".",
        ));
    }
    let description = call.required("ReplicationSubnetGroupDescription")?.to_owned();
    let subnets = subnets(call)?;
    let mut records = dms.records();
    if records.subnet_groups.contains_key(&identifier) {
        return Err(already_exists("Replication Subnet Group", &identifier));
    }
    refuse_one_more(&records, Quota::SubnetGroups)?;
    let group = SubnetGroup { identifier: identifier.clone(), description, subnets };
    let answer = group.json();
    records.subnet_groups.insert(identifier.clone(), group);
    tags::set_on_create(&mut records, &arn("subgrp", &identifier), call);
    Ok(json!({ "ReplicationSubnetGroup": answer }))
}

pub(crate) fn modify(dms: &Arc<Inner>, call: &Call) -> Reply {
    let identifier = call.required("ReplicationSubnetGroupIdentifier")?.to_lowercase();
    let subnets = subnets(call)?;
    let mut records = dms.records();
    let group = records.subnet_groups.get_mut(&identifier).ok_or_else(|| missing(&identifier))?;
    group.subnets = subnets;
    if let Some(description) = call.str("ReplicationSubnetGroupDescription") {
        description.clone_into(&mut group.description);
    }
    Ok(json!({ "ReplicationSubnetGroup": group.json() }))
}

pub(crate) fn describe(dms: &Arc<Inner>, call: &Call) -> Reply {
    let items = dms
        .records()
        .subnet_groups
        .values()
        .map(|group| Item {
            value: group.json(),
            names: vec![("replication-subnet-group-id", group.identifier.clone())],
        })
        .collect();
    let page = select(call, items, &RULES)?;
    Ok(present(json!({"ReplicationSubnetGroups": page.items, "Marker": page.marker})))
}

pub(crate) fn delete(dms: &Arc<Inner>, call: &Call) -> Reply {
    let identifier = call.required("ReplicationSubnetGroupIdentifier")?.to_lowercase();
    let mut records = dms.records();
    if !records.subnet_groups.contains_key(&identifier) {
        return Err(missing(&identifier));
    }
    if records.instances.values().any(|instance| instance.subnet_group.as_deref() == Some(&identifier)) {
        return Err(invalid_state(format!("Replication Subnet Group {identifier} is in use.")));
    }
    records.subnet_groups.remove(&identifier);
    records.tags.remove(&arn("subgrp", &identifier));
    Ok(json!({}))
}

/// The stand-in has no network: subnets lie in its zones by turns, so two of them cover two zones.
fn subnets(call: &Call) -> Result<Vec<String>, ApiError> {
    let subnets: Vec<String> = call
        .input
        .get("SubnetIds")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|subnet| subnet.as_str().map(str::to_owned))
        .collect();
    if subnets.len() < 2 {
        return Err(ApiError::new(
            400,
            "ReplicationSubnetGroupDoesNotCoverEnoughAZs",
            "The replication subnet group does not cover enough Availability Zones. It must cover at least two.",
        ));
    }
    Ok(subnets)
}

fn missing(identifier: &str) -> ApiError {
    not_found(format!("Replication Subnet Group {identifier} not found."))
}
