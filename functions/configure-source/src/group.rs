//! Parameter groups: does one serve, make one that does.

use aws_sdk_rds::Client;
use aws_sdk_rds::types::{ApplyMethod, DbParameterGroup, Parameter, Tag};
use pgleap_step_kit::prelude::*;

/// What DMS needs of the source. `wal_sender_timeout`: DMS may be silent for longer than the default of 30 s while it
/// writes a large transaction to disk, and the server would end its connection.
/// Source: AWS DMS user guide, "Using an AWS-managed PostgreSQL database as a DMS source".
const VALUES: [(&str, &str); 2] = [("rds.logical_replication", "1"), ("wal_sender_timeout", "0")];

/// Whether a group sets every value.
pub(crate) async fn serves(rds: &Client, group: &str) -> StepResult<bool> {
    let mut found = Vec::new();
    let mut pages = rds.describe_db_parameters().db_parameter_group_name(group).source("user").into_paginator().send();
    while let Some(page) = pages.next().await {
        found.extend(page.doing(format!("describe parameters of {group}"))?.parameters.unwrap_or_default());
    }
    Ok(VALUES.iter().all(|(name, value)| {
        found.iter().any(|set| set.parameter_name() == Some(*name) && set.parameter_value() == Some(*value))
    }))
}

/// The run's own group, with the values of `from` and ours on top; made if there is none.
pub(crate) async fn make(rds: &Client, run: &Run, from: &str) -> StepResult<String> {
    let own = run.id.names().source_parameter_group();
    let model = describe(rds, from).await?.ok_or_else(|| failed(from, "there is no such group"))?;
    let family = model.db_parameter_group_family().unwrap_or_default();
    match describe(rds, &own).await? {
        Some(found) => check_ours(rds, run, &found, family).await?,
        None => create(rds, run, from, family, &own).await?,
    }
    set_values(rds, &own).await?;
    Ok(own)
}

/// Two of the at most twenty parameters that one call takes. `pending-reboot` fits static and dynamic ones alike.
/// Source: Amazon RDS API reference, ModifyDBParameterGroup.
pub(crate) async fn set_values(rds: &Client, group: &str) -> StepResult<()> {
    if serves(rds, group).await? {
        return Ok(());
    }
    let values = VALUES.map(|(name, value)| {
        Parameter::builder().parameter_name(name).parameter_value(value).apply_method(ApplyMethod::PendingReboot).build()
    });
    let modify = rds.modify_db_parameter_group().db_parameter_group_name(group).set_parameters(Some(values.to_vec()));
    modify.send().await.doing(format!("set parameters of {group}"))?;
    Ok(())
}

async fn describe(rds: &Client, group: &str) -> StepResult<Option<DbParameterGroup>> {
    let answer = rds.describe_db_parameter_groups().db_parameter_group_name(group).send().await;
    let found = answer.doing(format!("describe parameter group {group}")).optional()?;
    Ok(found.and_then(|found| found.db_parameter_groups.unwrap_or_default().into_iter().next()))
}

/// A default group cannot be copied, and has no values of the user's.
/// Source: Amazon RDS API reference, CopyDBParameterGroup.
async fn create(rds: &Client, run: &Run, from: &str, family: &str, own: &str) -> StepResult<()> {
    let tag = Tag::builder().key(Names::TAG).value(run.id.as_str()).build();
    // upgrade-target looks there for the user's own values, without ours.
    let copied_from = Tag::builder().key("pgleap:copied-from").value(from).build();
    let description = format!("pgleap run {}: {from} with logical replication", run.id);
    let outcome = if from.starts_with("default.") {
        let create = rds.create_db_parameter_group().db_parameter_group_name(own).db_parameter_group_family(family);
        create.description(description).tags(tag).tags(copied_from).send().await.doing(format!("create parameter group {own}")).map(|_| ())
    } else {
        let copy = rds
            .copy_db_parameter_group()
            .source_db_parameter_group_identifier(from)
            .target_db_parameter_group_identifier(own)
            .target_db_parameter_group_description(description)
            .tags(tag)
            .tags(copied_from);
        copy.send().await.doing(format!("copy parameter group {from} to {own}")).map(|_| ())
    };
    match outcome {
        // Another call of this step made it a moment ago.
        Err(error) if error.is(Class::AlreadyThere) => Ok(()),
        other => Ok(other?),
    }
}

async fn check_ours(rds: &Client, run: &Run, group: &DbParameterGroup, family: &str) -> StepResult<()> {
    let name = group.db_parameter_group_name().unwrap_or_default();
    let arn = group.db_parameter_group_arn().unwrap_or_default();
    let tags = rds.list_tags_for_resource().resource_name(arn).send().await.doing(format!("list tags of {name}"))?;
    let ours = tags.tag_list().iter().any(|tag| tag.key() == Some(Names::TAG) && tag.value() == Some(run.id.as_str()));
    if !ours {
        return Err(failed(name, "the name is taken by a group that this run has not made"));
    }
    if group.db_parameter_group_family() != Some(family) {
        return Err(failed(name, &format!("its family is not {family}")));
    }
    Ok(())
}

fn failed(group: &str, reason: &str) -> StepError {
    StepError::new(ErrorCode::InstanceFailed, format!("use parameter group {group}: {reason}"))
}
