//! One run of a source at a time, also of other stacks: what a run makes of its source carries its execution's ARN.
//!
//! A tag only says where to look. Whether the run is under way is asked of Step Functions, so a tag that somebody's death
//! left behind stops nobody.

use aws_sdk_rds::Client;
use aws_sdk_rds::types::{DbInstance, Tag};
use pgleap_contract::{Mode, Run};
use pgleap_rds::instance;
use pgleap_step_kit::prelude::*;

use crate::{execution, request};

/// Names of parameter groups that a run has made begin so.
const GROUPS: &str = "pgleap-";

/// Refuse a run whose source another execution is upgrading, whoever started that.
pub(crate) async fn refuse_second(ctx: &Ctx, run: &Run) -> StepResult<()> {
    let rds = Client::new(ctx.aws());
    let Some(source) = instance::describe(&rds, &run.source.instance).await? else { return Ok(()) };
    let mut tags = tags_of_snapshots(&rds, run).await?;
    tags.extend(tags_of_group(&rds, &source).await?);
    for arn in executions(&tags, &run.execution_arn) {
        if is_under_way(ctx, &arn, run).await? {
            let message = format!("start run: a run of {} is under way, of another stack: {arn}", run.source.instance);
            return Err(StepError::new(ErrorCode::AnotherRun, message));
        }
    }
    Ok(())
}

/// From soon after its beginning to its end a run has a snapshot of the source.
async fn tags_of_snapshots(rds: &Client, run: &Run) -> StepResult<Vec<Tag>> {
    let request = rds.describe_db_snapshots().db_instance_identifier(&run.source.instance).snapshot_type("manual");
    let mut pages = request.into_paginator().send();
    let mut found = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.doing(format!("describe snapshots of {}", run.source.instance))?;
        found.extend(page.db_snapshots().iter().flat_map(|snapshot| snapshot.tag_list().iter().cloned()));
    }
    Ok(found)
}

/// The first thing that a run makes is a parameter group, if the source needs one.
async fn tags_of_group(rds: &Client, source: &DbInstance) -> StepResult<Vec<Tag>> {
    let group = source.db_parameter_groups().first().and_then(|group| group.db_parameter_group_name());
    let (Some(group), Some(arn)) = (group.filter(|name| name.starts_with(GROUPS)), source.db_instance_arn()) else {
        return Ok(Vec::new());
    };
    let Some((before, _)) = arn.split_once(":db:") else { return Ok(Vec::new()) };
    let answer = rds.list_tags_for_resource().resource_name(format!("{before}:pg:{group}")).send().await;
    let found = answer.doing(format!("list tags of parameter group {group}")).optional()?;
    Ok(found.and_then(|found| found.tag_list).unwrap_or_default())
}

/// Other executions that the tags name, each once.
fn executions(tags: &[Tag], own: &str) -> Vec<String> {
    let named = tags.iter().filter(|tag| tag.key() == Some(Names::EXECUTION_TAG)).filter_map(Tag::value);
    let mut found: Vec<_> = named.filter(|arn| *arn != own).map(str::to_owned).collect();
    found.sort();
    found.dedup();
    found
}

/// An execution of an upgrade of this very source; what Step Functions has forgotten is over.
async fn is_under_way(ctx: &Ctx, arn: &str, run: &Run) -> StepResult<bool> {
    match execution(ctx, arn).await {
        Ok(found) => {
            let other = request::to_run(arn, found.input).ok();
            let works_on_it =
                other.is_some_and(|other| other.mode == Mode::Upgrade && other.source.instance == run.source.instance);
            Ok(found.is_running && works_on_it)
        }
        Err(error) if error.code == ErrorCode::BadInput => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_executions_are_found_once_each() {
        let tag = |key: &str, value: &str| Tag::builder().key(key).value(value).build();
        let tags = [
            tag(Names::EXECUTION_TAG, "arn:b"),
            tag(Names::TAG, "orders-18"),
            tag(Names::EXECUTION_TAG, "arn:own"),
            tag(Names::EXECUTION_TAG, "arn:a"),
            tag(Names::EXECUTION_TAG, "arn:b"),
        ];

        assert_eq!(executions(&tags, "arn:own"), ["arn:a", "arn:b"]);
    }
}
