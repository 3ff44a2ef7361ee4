//! Groups as such: made, copied, listed, deleted.

use std::collections::BTreeMap;

use local_aws_core::{ApiError, Call, Reply};
use serde_json::{Value, json};

use crate::engine_versions::{EngineVersion, family, major_of_family};
use crate::events::Subject;
use crate::names::{group_arn, identifier};
use crate::paging::{Filters, answer, one};
use crate::quotas::Quota;
use crate::service::Shared;
use crate::state::State;
use crate::{errors, tags};

/// A custom group.
#[derive(Debug, Clone)]
pub(crate) struct ParameterGroup {
    pub(crate) name: String,
    pub(crate) major: u16,
    pub(crate) description: String,
    pub(crate) values: BTreeMap<String, UserValue>,
}

/// A value that the group's owner set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UserValue {
    pub(crate) value: String,
    pub(crate) apply_method: String,
}

/// The name of a family's default group.
pub(crate) fn default_group(major: u16) -> String {
    format!("default.{}", family(major))
}

fn major_of_default(name: &str) -> Option<u16> {
    major_of_family(name.strip_prefix("default.")?)
}

/// An instance of this version cannot have this group.
pub(crate) fn refuse_wrong_family(group: &ParameterGroup, version: &EngineVersion) -> Result<(), ApiError> {
    if group.major == version.major {
        return Ok(());
    }
    Err(errors::combination(format!(
        "The Parameter Group {} with DBParameterGroupFamily {} cannot be used for this instance. Please use a Parameter \
         Group with DBParameterGroupFamily {}",
        group.name,
        family(group.major),
        version.family()
    )))
}

impl State {
    /// A custom or a default group.
    pub(crate) fn group(&self, name: &str) -> Result<ParameterGroup, ApiError> {
        let name = name.to_ascii_lowercase();
        if let Some(major) = major_of_default(&name) {
            let description = format!("Default parameter group for {}", family(major));
            return Ok(ParameterGroup { name, major, description, values: BTreeMap::new() });
        }
        self.groups.get(&name).cloned().ok_or_else(|| errors::group_not_found(&name))
    }

    /// A group that may be changed. The period in a default group's name makes it no valid identifier, and so refused.
    pub(super) fn custom_group(&mut self, name: &str) -> Result<&mut ParameterGroup, ApiError> {
        let key = identifier("DBParameterGroupName", name, 255)?;
        self.groups.get_mut(&key).ok_or_else(|| errors::group_not_found(name))
    }
}

impl Shared {
    pub(crate) fn create_parameter_group(&self, call: &Call) -> Reply {
        let family_name = call.required("DBParameterGroupFamily")?;
        let major = major_of_family(family_name).ok_or_else(|| {
            errors::value(format!("ParameterGroupFamily {family_name} is not a valid parameter group family"))
        })?;
        let description = call.required("Description")?.to_owned();
        self.add_group(call, "DBParameterGroupName", major, description, BTreeMap::new())
    }

    pub(crate) fn copy_parameter_group(&self, call: &Call) -> Reply {
        let source_name = call.required("SourceDBParameterGroupIdentifier")?;
        // An ARN of this account's group is as good as its name.
        let source_name = source_name.rsplit(':').next().unwrap_or(source_name);
        let source = self.state().custom_group(source_name)?.clone();
        let description = call.required("TargetDBParameterGroupDescription")?.to_owned();
        self.add_group(call, "TargetDBParameterGroupIdentifier", source.major, description, source.values)
    }

    fn add_group(
        &self,
        call: &Call,
        name_member: &str,
        major: u16,
        description: String,
        values: BTreeMap<String, UserValue>,
    ) -> Reply {
        let name = identifier(name_member, call.required(name_member)?, 255)?;
        let mut state = self.state();
        if state.groups.contains_key(&name) {
            return Err(errors::group_exists(&name));
        }
        state.refuse_beyond(Quota::ParameterGroups, 1)?;
        let group = ParameterGroup { name: name.clone(), major, description, values };
        let reply = one("DBParameterGroup", group.to_json());
        state.tags.insert(group_arn(&name), tags::requested(call, "pg"));
        state.groups.insert(name, group);
        reply
    }

    pub(crate) fn delete_parameter_group(&self, call: &Call) -> Reply {
        let mut state = self.state();
        let name = state.custom_group(call.required("DBParameterGroupName")?)?.name.clone();
        if state.instances.values().any(|instance| instance.group.name == name) {
            return Err(errors::group_state(format!(
                "One or more database instances are still members of this parameter group {name}, so the group cannot be \
                 deleted"
            )));
        }
        state.groups.remove(&name);
        state.tags.remove(&group_arn(&name));
        Ok(json!({}))
    }

    pub(crate) fn describe_parameter_groups(&self, call: &Call) -> Reply {
        Filters::of(call, &[])?;
        let state = self.state();
        if let Some(name) = call.str("DBParameterGroupName") {
            return answer(call, "DBParameterGroups", vec![state.group(name)?.to_json()]);
        }
        let default_names = self.around.servers.majors().into_iter().map(default_group);
        let defaults: Vec<_> = default_names.filter_map(|name| state.group(&name).ok()).collect();
        let groups = defaults.iter().chain(state.groups.values()).map(ParameterGroup::to_json).collect();
        answer(call, "DBParameterGroups", groups)
    }

    /// A change of a group was carried out.
    pub(super) fn tell_group_changed(&self, name: &str) {
        self.tell(Subject::Group, name, 37, "Updated parameter group.");
    }
}

impl ParameterGroup {
    fn to_json(&self) -> Value {
        json!({
            "DBParameterGroupName": self.name,
            "DBParameterGroupFamily": family(self.major),
            "Description": self.description,
            "DBParameterGroupArn": group_arn(&self.name),
        })
    }
}
