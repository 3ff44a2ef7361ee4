//! Tags.

use std::collections::BTreeMap;
use std::sync::Arc;

use local_aws_core::{ApiError, Call, Reply};
use serde_json::{Value, json};

use super::errors::not_found;
use super::identifiers::arn;
use super::records::Records;
use super::service::Inner;

/// Tags of a Create call.
pub(crate) fn set_on_create(records: &mut Records, arn: &str, call: &Call) {
    let tags = read(call);
    if !tags.is_empty() {
        records.tags.insert(arn.to_owned(), tags);
    }
}

pub(crate) fn add(dms: &Arc<Inner>, call: &Call) -> Reply {
    let arn = call.required("ResourceArn")?;
    let mut records = dms.records();
    check(&records, arn)?;
    records.tags.entry(arn.to_owned()).or_default().extend(read(call));
    Ok(json!({}))
}

pub(crate) fn remove(dms: &Arc<Inner>, call: &Call) -> Reply {
    let arn = call.required("ResourceArn")?;
    let mut records = dms.records();
    check(&records, arn)?;
    if let Some(tags) = records.tags.get_mut(arn) {
        for key in texts(call.input.get("TagKeys")) {
            tags.remove(&key);
        }
    }
    Ok(json!({}))
}

pub(crate) fn list(dms: &Arc<Inner>, call: &Call) -> Reply {
    let single = call.str("ResourceArn").map(str::to_owned);
    let several = texts(call.input.get("ResourceArnList"));
    let records = dms.records();
    let mut listed = Vec::new();
    for arn in single.into_iter().chain(several) {
        check(&records, &arn)?;
        for (key, value) in records.tags.get(&arn).into_iter().flatten() {
            listed.push(json!({"Key": key, "Value": value, "ResourceArn": arn}));
        }
    }
    Ok(json!({ "TagList": listed }))
}

/// Keys of the tags of what has this ARN; `None` if nothing has.
pub(crate) fn keys(records: &Records, arn: &str) -> Option<Vec<String>> {
    check(records, arn).ok()?;
    Some(records.tags.get(arn).into_iter().flatten().map(|(key, _)| key.clone()).collect())
}

fn read(call: &Call) -> BTreeMap<String, String> {
    let text = |tag: &Value, member: &str| tag.get(member).and_then(Value::as_str).unwrap_or_default().to_owned();
    let tags = call.input.get("Tags").and_then(Value::as_array).into_iter().flatten();
    tags.map(|tag| (text(tag, "Key"), text(tag, "Value"))).collect()
}

fn texts(list: Option<&Value>) -> Vec<String> {
    list.and_then(Value::as_array).into_iter().flatten().filter_map(|text| text.as_str().map(str::to_owned)).collect()
}

fn check(records: &Records, resource: &str) -> Result<(), ApiError> {
    let exists = records.instances.contains_key(resource)
        || records.endpoints.contains_key(resource)
        || records.tasks.contains_key(resource)
        || records.certificates.contains_key(resource)
        || records.subnet_groups.keys().any(|identifier| arn("subgrp", identifier) == resource);
    if exists { Ok(()) } else { Err(not_found(format!("Resource {resource} not found."))) }
}
