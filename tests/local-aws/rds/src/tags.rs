//! Tags, by ARN.

use local_aws_core::{ApiError, Call, Reply};
use serde_json::{Value, json};

use crate::errors;
use crate::names::{group_arn, instance_arn, snapshot_arn};
use crate::paging::one;
use crate::service::Shared;
use crate::state::State;

/// Keys and values in the order in which they came.
pub(crate) type Tags = Vec<(String, String)>;

/// `Tags` of a request; `TagSpecifications` count where they are of this resource type.
pub(crate) fn requested(call: &Call, resource_type: &str) -> Tags {
    let specifications = call.input.get("TagSpecifications").and_then(Value::as_array).into_iter().flatten();
    let specified = specifications
        .filter(|specification| specification["ResourceType"].as_str().is_none_or(|kind| kind == resource_type))
        .filter_map(|specification| specification.get("Tags"));
    let mut tags = Tags::new();
    for list in call.input.get("Tags").into_iter().chain(specified) {
        merge(&mut tags, from_json(list));
    }
    tags
}

pub(crate) fn to_json(tags: &Tags) -> Value {
    tags.iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect()
}

fn from_json(list: &Value) -> Tags {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    list.as_array().into_iter().flatten().map(|tag| (text(&tag["Key"]), text(&tag["Value"]))).collect()
}

fn merge(tags: &mut Tags, more: Tags) {
    for (key, value) in more {
        match tags.iter_mut().find(|(known, _)| *known == key) {
            Some(known) => known.1 = value,
            None => tags.push((key, value)),
        }
    }
}

impl State {
    pub(crate) fn tags_of(&self, arn: &str) -> Tags {
        self.tags.get(arn).cloned().unwrap_or_default()
    }

    pub(crate) fn refuse_unknown_arn(&self, arn: &str) -> Result<(), ApiError> {
        let name = arn.rsplit(':').next().unwrap_or_default();
        let known = [
            (instance_arn(name), self.instances.contains_key(name), errors::instance_not_found(name)),
            (snapshot_arn(name), self.snapshots.contains_key(name), errors::snapshot_not_found(name)),
            (group_arn(name), self.groups.contains_key(name), errors::group_not_found(name)),
        ];
        match known.into_iter().find(|(candidate, ..)| candidate == arn) {
            Some((_, true, _)) => Ok(()),
            Some((_, false, error)) => Err(error),
            None => Err(errors::value(format!("Invalid resource name: {arn}"))),
        }
    }
}

impl Shared {
    pub(crate) fn add_tags(&self, call: &Call) -> Reply {
        let mut state = self.state();
        let arn = call.required("ResourceName")?;
        state.refuse_unknown_arn(arn)?;
        merge(state.tags.entry(arn.to_owned()).or_default(), requested(call, ""));
        Ok(json!({}))
    }

    pub(crate) fn remove_tags(&self, call: &Call) -> Reply {
        let mut state = self.state();
        let arn = call.required("ResourceName")?;
        state.refuse_unknown_arn(arn)?;
        let keys: Vec<&str> =
            call.input["TagKeys"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        state.tags.entry(arn.to_owned()).or_default().retain(|(key, _)| !keys.contains(&key.as_str()));
        Ok(json!({}))
    }

    pub(crate) fn list_tags(&self, call: &Call) -> Reply {
        let state = self.state();
        let arn = call.required("ResourceName")?;
        state.refuse_unknown_arn(arn)?;
        one("TagList", to_json(&state.tags_of(arn)))
    }
}
