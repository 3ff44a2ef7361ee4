//! Conditions on tags: that a request carries one, that a resource has one. The template asks for no other of its own kind.

use std::collections::BTreeSet;

use serde_json::Value;

/// A tag that must be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wants {
    /// In the request.
    InRequest(String),
    /// On the resource.
    OnResource(String),
}

/// Of a statement: `Null: { "aws:ResourceTag/key": "false" }` says that it must not be absent.
pub(super) fn wants(condition: &Value) -> Vec<Wants> {
    let nulls = condition["Null"].as_object().into_iter().flatten();
    let present = nulls.filter(|(_, absent)| *absent == "false" || **absent == Value::Bool(false));
    present
        .filter_map(|(key, _)| match key.split_once('/')? {
            ("aws:RequestTag", key) => Some(Wants::InRequest(key.to_owned())),
            ("aws:ResourceTag", key) => Some(Wants::OnResource(key.to_owned())),
            _ => None,
        })
        .collect()
}

/// Tags as a call meets them.
pub(super) struct Tags<'a> {
    of_request: BTreeSet<String>,
    of_resource: &'a dyn Fn(&str) -> Option<Vec<String>>,
}

impl<'a> Tags<'a> {
    pub(super) fn of(input: &Value, of_resource: &'a dyn Fn(&str) -> Option<Vec<String>>) -> Self {
        let tags = input["Tags"].as_array().into_iter().flatten();
        Self { of_request: tags.filter_map(|tag| tag["Key"].as_str().map(str::to_owned)).collect(), of_resource }
    }

    /// What is not there has no tags to judge by: the service says that it is not there.
    pub(super) fn meet(&self, wanted: &Wants, resource: Option<&str>) -> bool {
        match wanted {
            Wants::InRequest(key) => self.of_request.contains(key),
            Wants::OnResource(key) => {
                resource.and_then(self.of_resource).is_none_or(|keys| keys.iter().any(|known| known == key))
            }
        }
    }
}
