//! Parameter groups of the run's own: made once, found by name and tag, given values until they have them.

use std::collections::BTreeMap;

use aws_sdk_rds::types::builders::ParameterBuilder;
use aws_sdk_rds::types::{ApplyMethod, DbParameterGroup, Parameter};
use pgleap_contract::Run;
use pgleap_step_kit::{arn, prelude::*};

use crate::parameters::Known;
use crate::{Rds, tags};

/// ModifyDBParameterGroup takes so many parameters a call.
/// Source: Amazon RDS API reference, ModifyDBParameterGroup.
const MOST_PARAMETERS: usize = 20;

/// Tag on the run's copy of the source's group: whose copy it is.
const COPIED_FROM: &str = "pgleap:copied-from";

/// Values that configure-source adds to the run's copy.
const FOR_REPLICATION: [&str; 2] = ["rds.logical_replication", "wal_sender_timeout"];

/// Parameters by name.
pub type Values = BTreeMap<String, String>;

/// A parameter group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ParameterGroup {
    /// Its name.
    pub name: String,
    /// `postgres18`, ..
    pub family: String,
    arn: Option<String>,
}

impl ParameterGroup {
    fn of(found: DbParameterGroup) -> Self {
        Self {
            name: found.db_parameter_group_name.unwrap_or_default(),
            family: found.db_parameter_group_family.unwrap_or_default(),
            arn: found.db_parameter_group_arn,
        }
    }

    /// Its ARN.
    ///
    /// # Errors
    /// It has none.
    pub fn arn(&self) -> Result<&str, AwsError> {
        arn(&format!("parameter group {}", self.name), self.arn.as_deref())
    }
}

impl Rds {
    /// A group, if there is one of that name.
    pub async fn group(&self, name: &str) -> Result<Option<ParameterGroup>, AwsError> {
        let answer = self.client.describe_db_parameter_groups().db_parameter_group_name(name).send().await;
        let found = answer.doing(format!("describe parameter group {name}")).optional()?;
        let found = found.and_then(|found| found.db_parameter_groups.unwrap_or_default().into_iter().next());
        Ok(found.map(ParameterGroup::of))
    }

    /// All groups whose names begin so.
    pub async fn groups_beginning(&self, prefix: &str) -> Result<Vec<ParameterGroup>, AwsError> {
        let mut found = Vec::new();
        let mut pages = self.client.describe_db_parameter_groups().into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.doing("list parameter groups")?;
            let groups = page.db_parameter_groups.unwrap_or_default().into_iter().map(ParameterGroup::of);
            found.extend(groups.filter(|group| group.name.starts_with(prefix)));
        }
        Ok(found)
    }

    /// What a user has set in a group. A default group has nothing of the kind.
    pub async fn values_of(&self, group: &str) -> Result<Values, AwsError> {
        let mut found = Values::new();
        let request = self.client.describe_db_parameters().db_parameter_group_name(group).source("user");
        let mut pages = request.into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.doing(format!("describe parameters of {group}"))?;
            for parameter in page.parameters.unwrap_or_default() {
                if let (Some(name), Some(value)) = (parameter.parameter_name, parameter.parameter_value) {
                    found.insert(name, value);
                }
            }
        }
        Ok(found)
    }

    /// What the user has set for the source: of the run's copy, what the original has; if that is gone, what is not ours.
    pub async fn users_values(&self, run: &Run, group: &str) -> Result<Values, AwsError> {
        if group != run.names().source_parameter_group() {
            return self.values_of(group).await;
        }
        let copied_from = match self.group(group).await? {
            Some(copy) => self.tags(copy.arn()?, group).await?.remove(COPIED_FROM),
            None => None,
        };
        if let Some(original) = copied_from
            && self.group(&original).await?.is_some()
        {
            return self.values_of(&original).await;
        }
        let mut values = self.values_of(group).await?;
        values.retain(|name, _| !FOR_REPLICATION.contains(&name.as_str()));
        Ok(values)
    }

    /// The run's group of this name, with these values; made if there is none. Others that it has stay.
    pub async fn ensure_group(&self, run: &Run, name: &str, family: &str, wanted: &Values) -> StepResult<()> {
        match self.group(name).await? {
            Some(found) => self.check_ours(run, &found, family).await?,
            None => self.create_target_group(run, name, family).await?,
        }
        let has = self.values_of(name).await?;
        let missing: Vec<_> = wanted.iter().filter(|(name, value)| has.get(*name) != Some(*value)).collect();
        for chunk in missing.chunks(MOST_PARAMETERS) {
            // `pending-reboot` fits static and dynamic parameters alike, and nobody lives with the group yet.
            let parameters = chunk.iter().map(|(name, value)| {
                let parameter = Parameter::builder().parameter_name(*name).parameter_value(*value);
                parameter.apply_method(ApplyMethod::PendingReboot).build()
            });
            let modify = self.client.modify_db_parameter_group().db_parameter_group_name(name);
            let answer = modify.set_parameters(Some(parameters.collect())).send().await;
            answer.doing(format!("set parameters of {name}"))?;
        }
        Ok(())
    }

    async fn check_ours(&self, run: &Run, group: &ParameterGroup, family: &str) -> StepResult<()> {
        let name = &group.name;
        let failed = |reason: String| {
            Err(StepError::new(ErrorCode::InstanceFailed, format!("use parameter group {name}: {reason}")))
        };
        if !tags::is_ours(&self.tags(group.arn()?, name).await?, run) {
            return failed("a group of this name exists, and this run did not create it".to_owned());
        }
        if group.family != family {
            return failed(format!("its family is not {family}"));
        }
        Ok(())
    }

    async fn create_target_group(&self, run: &Run, name: &str, family: &str) -> StepResult<()> {
        let create = self.client.create_db_parameter_group().db_parameter_group_name(name);
        let create = create.db_parameter_group_family(family).description(format!("pgleap run {}: target", run.id));
        made(create.set_tags(Some(tags::of_run(run))).send().await.doing(format!("create parameter group {name}")))
    }

    /// Make the run's copy of the source's group; one that another call of the step made a moment ago is taken. A default
    /// group cannot be copied, and has no values of the user's.
    /// Source: Amazon RDS API reference, CopyDBParameterGroup.
    pub async fn copy_group(&self, run: &Run, from: &ParameterGroup, name: &str) -> StepResult<()> {
        let mut tags = tags::of_source(run);
        tags.push(tags::tag(COPIED_FROM, &from.name));
        let description = format!("pgleap run {}: {} with logical replication", run.id, from.name);
        if from.name.starts_with("default.") {
            let create = self.client.create_db_parameter_group().db_parameter_group_name(name);
            let create = create.db_parameter_group_family(&from.family).description(description).set_tags(Some(tags));
            return made(create.send().await.doing(format!("create parameter group {name}")));
        }
        let copy = self
            .client
            .copy_db_parameter_group()
            .source_db_parameter_group_identifier(&from.name)
            .target_db_parameter_group_identifier(name)
            .target_db_parameter_group_description(description)
            .set_tags(Some(tags));
        made(copy.send().await.doing(format!("copy parameter group {} to {name}", from.name)))
    }

    /// Give a dynamic parameter a value at once. In a group that is in sync it takes hold without a reboot.
    /// Source: Amazon RDS user guide, "Working with parameter groups".
    pub async fn set_parameter(&self, group: &str, name: &str, value: &str) -> Result<(), AwsError> {
        let modify = self.client.modify_db_parameter_group().db_parameter_group_name(group);
        let answer = modify.parameters(at_once(name).parameter_value(value).build()).send().await;
        answer.doing(format!("set {name} of {group}")).map(|_set| ())
    }

    /// Put a dynamic parameter back to its default at once.
    pub async fn reset_parameter(&self, group: &str, name: &str) -> Result<(), AwsError> {
        let reset = self.client.reset_db_parameter_group().db_parameter_group_name(group).reset_all_parameters(false);
        let answer = reset.parameters(at_once(name).build()).send().await;
        answer.doing(format!("reset {name} of {group}")).map(|_reset| ())
    }

    /// Delete a group.
    pub async fn delete_group(&self, name: &str) -> Result<(), AwsError> {
        let answer = self.client.delete_db_parameter_group().db_parameter_group_name(name).send().await;
        answer.doing(format!("delete parameter group {name}")).map(|_deleted| ())
    }

    /// What a family knows of each parameter.
    pub async fn known(&self, family: &str) -> Result<BTreeMap<String, Known>, AwsError> {
        let mut found = BTreeMap::new();
        let mut marker = None;
        loop {
            let request = self.client.describe_engine_default_parameters().db_parameter_group_family(family);
            let answer = request.set_marker(marker).send().await;
            let page = answer.doing(format!("describe parameters of family {family}"))?;
            let Some(defaults) = page.engine_defaults else { return Ok(found) };
            for parameter in defaults.parameters.unwrap_or_default() {
                let known = Known {
                    modifiable: parameter.is_modifiable.unwrap_or(false),
                    allowed: parameter.allowed_values.unwrap_or_default(),
                };
                found.insert(parameter.parameter_name.unwrap_or_default(), known);
            }
            match defaults.marker {
                Some(next) => marker = Some(next),
                None => return Ok(found),
            }
        }
    }
}

fn at_once(parameter: &str) -> ParameterBuilder {
    Parameter::builder().parameter_name(parameter).apply_method(ApplyMethod::Immediate)
}

/// Another call of the step may have made it a moment ago.
fn made<T>(answer: Result<T, AwsError>) -> StepResult<()> {
    match answer {
        Err(error) if !error.is(Class::AlreadyThere) => Err(error.into()),
        _made_or_there => Ok(()),
    }
}
