//! Parameter groups of the run's own: made once, found by name and tag, given values until they have them.

use std::collections::BTreeMap;

use aws_sdk_rds::Client;
use aws_sdk_rds::types::{ApplyMethod, DbParameterGroup, Parameter, Tag};
use pgleap_contract::{Names, Run};
use pgleap_step_kit::prelude::*;

use crate::instance;
use crate::parameters::Known;

/// ModifyDBParameterGroup takes so many parameters a call.
/// Source: Amazon RDS API reference, ModifyDBParameterGroup.
const MOST_PARAMETERS: usize = 20;

/// Tag on the run's copy of the source's group: whose copy it is.
pub const COPIED_FROM: &str = "pgleap:copied-from";

/// Values that configure-source adds to the run's copy.
const FOR_REPLICATION: [&str; 2] = ["rds.logical_replication", "wal_sender_timeout"];

/// Parameters by name.
pub type Values = BTreeMap<String, String>;

/// What a user has set in a group. A default group has nothing of the kind.
pub async fn values_of(rds: &Client, group: &str) -> StepResult<Values> {
    let mut found = Values::new();
    let mut pages = rds.describe_db_parameters().db_parameter_group_name(group).source("user").into_paginator().send();
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
pub async fn users_values(rds: &Client, run: &Run, group: &str) -> StepResult<Values> {
    if group != run.id.names().source_parameter_group() {
        return values_of(rds, group).await;
    }
    let copied_from = match describe(rds, group).await? {
        Some(copy) => tag_of(rds, &copy, COPIED_FROM).await?,
        None => None,
    };
    if let Some(original) = copied_from
        && describe(rds, &original).await?.is_some()
    {
        return values_of(rds, &original).await;
    }
    let mut values = values_of(rds, group).await?;
    values.retain(|name, _| !FOR_REPLICATION.contains(&name.as_str()));
    Ok(values)
}

/// The group, with these values; made if there is none. Others that it has stay.
pub async fn ensure(rds: &Client, run: &Run, name: &str, family: &str, wanted: &Values) -> StepResult<()> {
    match describe(rds, name).await? {
        Some(found) => check_ours(rds, run, &found, family).await?,
        None => create(rds, run, name, family).await?,
    }
    let has = values_of(rds, name).await?;
    let missing: Vec<_> = wanted.iter().filter(|(name, value)| has.get(*name) != Some(*value)).collect();
    for chunk in missing.chunks(MOST_PARAMETERS) {
        // `pending-reboot` fits static and dynamic parameters alike, and nobody lives with the group yet.
        let parameters = chunk.iter().map(|(name, value)| {
            let parameter = Parameter::builder().parameter_name(*name).parameter_value(*value);
            parameter.apply_method(ApplyMethod::PendingReboot).build()
        });
        let modify =
            rds.modify_db_parameter_group().db_parameter_group_name(name).set_parameters(Some(parameters.collect()));
        modify.send().await.doing(format!("set parameters of {name}"))?;
    }
    Ok(())
}

/// What a family knows of each parameter.
pub async fn known(rds: &Client, family: &str) -> StepResult<BTreeMap<String, Known>> {
    let mut found = BTreeMap::new();
    let mut marker = None;
    loop {
        let request = rds.describe_engine_default_parameters().db_parameter_group_family(family).set_marker(marker);
        let page = request.send().await.doing(format!("describe parameters of family {family}"))?;
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

/// A group, if there is one of that name.
pub async fn describe(rds: &Client, group: &str) -> StepResult<Option<DbParameterGroup>> {
    let answer = rds.describe_db_parameter_groups().db_parameter_group_name(group).send().await;
    let found = answer.doing(format!("describe parameter group {group}")).optional()?;
    Ok(found.and_then(|found| found.db_parameter_groups.unwrap_or_default().into_iter().next()))
}

async fn create(rds: &Client, run: &Run, name: &str, family: &str) -> StepResult<()> {
    let create = rds.create_db_parameter_group().db_parameter_group_name(name).db_parameter_group_family(family);
    let create = create.description(format!("pgleap run {}: target", run.id)).tags(instance::tag(run));
    match create.send().await.doing(format!("create parameter group {name}")) {
        Ok(_) => Ok(()),
        // Another call of this step made it a moment ago.
        Err(error) if error.is(Class::AlreadyThere) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

async fn check_ours(rds: &Client, run: &Run, group: &DbParameterGroup, family: &str) -> StepResult<()> {
    let name = group.db_parameter_group_name().unwrap_or_default();
    let failed = |reason: String| {
        Err(StepError::new(ErrorCode::InstanceFailed, format!("use parameter group {name}: {reason}")))
    };
    if tag_of(rds, group, Names::TAG).await?.as_deref() != Some(run.id.as_str()) {
        return failed("the name is taken by a group that this run has not made".to_owned());
    }
    if group.db_parameter_group_family() != Some(family) {
        return failed(format!("its family is not {family}"));
    }
    Ok(())
}

async fn tag_of(rds: &Client, group: &DbParameterGroup, key: &str) -> StepResult<Option<String>> {
    let name = group.db_parameter_group_name().unwrap_or_default();
    let arn = pgleap_step_kit::arn(name, group.db_parameter_group_arn())?;
    let tags = rds.list_tags_for_resource().resource_name(arn).send().await.doing(format!("list tags of {name}"))?;
    let found = tags.tag_list().iter().find(|tag: &&Tag| tag.key() == Some(key));
    Ok(found.and_then(|tag| tag.value().map(str::to_owned)))
}
