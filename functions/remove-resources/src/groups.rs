//! Parameter groups: the run's copies, less those that something lives with.

use aws_sdk_rds::Client;
use aws_sdk_rds::types::{DbInstance, DbParameterGroup};
use pgleap_contract::Run;
use pgleap_step_kit::prelude::*;

use crate::{Left, target};

/// Groups are found by listing, because the families on the way depend on what preflight found.
pub(crate) async fn remove(rds: &Client, run: &Run, left: &mut Left) -> StepResult<()> {
    let groups = candidates(rds, run).await?;
    if groups.is_empty() {
        return Ok(());
    }
    let used_by_source = groups_of(source(rds, run).await?.as_ref());
    let target = target::instance(rds, run).await?;
    let target_goes = target.as_ref().and_then(DbInstance::db_instance_status) == Some("deleting");
    let used_by_target = groups_of(target.as_ref());

    for group in groups {
        let name = group.db_parameter_group_name().unwrap_or_default().to_owned();
        if !is_tagged(rds, run, &group).await? {
            continue;
        }
        match decide(&name, &used_by_source, &used_by_target, target_goes) {
            Verdict::Keep(reason) => left.kept(format!("parameter group {name}: {reason}")),
            Verdict::Wait => left.going(format!("parameter group {name}: the target still has it")),
            Verdict::Delete => delete(rds, &name, left).await?,
        }
    }
    Ok(())
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Keep(&'static str),
    Wait,
    Delete,
}

fn decide(name: &str, used_by_source: &[String], used_by_target: &[String], target_goes: bool) -> Verdict {
    let in_use = |groups: &[String]| groups.iter().any(|group| group == name);
    if in_use(used_by_source) {
        return Verdict::Keep("the source has it; detaching it would cost a reboot");
    }
    match (in_use(used_by_target), target_goes) {
        (true, true) => Verdict::Wait,
        (true, false) => Verdict::Keep("the target lives with it"),
        (false, _) => Verdict::Delete,
    }
}

/// A group that something else holds (an instance that was renamed, say) is refused by RDS and stays.
async fn delete(rds: &Client, name: &str, left: &mut Left) -> StepResult<()> {
    let answer = rds.delete_db_parameter_group().db_parameter_group_name(name).send().await;
    match answer.doing(format!("delete parameter group {name}")).optional() {
        Ok(_gone) => Ok(()),
        Err(error) if error.is(Class::WrongState) => {
            left.kept(format!("parameter group {name}: {}", error.message));
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

/// By prefix; run `a` has the prefix of run `a-b` too, which is why the tag decides.
async fn candidates(rds: &Client, run: &Run) -> StepResult<Vec<DbParameterGroup>> {
    let prefix = run.id.names().prefix();
    let mut found = Vec::new();
    let mut pages = rds.describe_db_parameter_groups().into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.doing("list parameter groups")?;
        let groups = page.db_parameter_groups.unwrap_or_default().into_iter();
        found.extend(
            groups.filter(|group| group.db_parameter_group_name().is_some_and(|name| name.starts_with(&prefix))),
        );
    }
    Ok(found)
}

async fn is_tagged(rds: &Client, run: &Run, group: &DbParameterGroup) -> StepResult<bool> {
    let arn = pgleap_step_kit::arn("a parameter group", group.db_parameter_group_arn())?;
    let answer = rds.list_tags_for_resource().resource_name(arn).send().await;
    let Some(tags) = answer.doing(format!("list tags of {arn}")).optional()? else { return Ok(false) };
    Ok(tags.tag_list().iter().any(|tag| tag.key() == Some(Names::TAG) && tag.value() == Some(run.id.as_str())))
}

async fn source(rds: &Client, run: &Run) -> StepResult<Option<DbInstance>> {
    let name = &run.source.instance;
    let answer = rds.describe_db_instances().db_instance_identifier(name).send().await;
    let found = answer.doing(format!("describe instance {name}")).optional()?;
    Ok(found.and_then(|page| page.db_instances.unwrap_or_default().into_iter().next()))
}

fn groups_of(instance: Option<&DbInstance>) -> Vec<String> {
    let groups = instance.map(DbInstance::db_parameter_groups).unwrap_or_default().iter();
    groups.filter_map(|group| group.db_parameter_group_name().map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_that_something_lives_with_stays() {
        let source = ["pgleap-r-source".to_owned()];
        let target = ["pgleap-r-target-postgres18".to_owned()];
        let cases = [
            ("pgleap-r-source", false, "keep"),
            ("pgleap-r-target-postgres18", false, "keep"),
            ("pgleap-r-target-postgres18", true, "wait"),
            ("pgleap-r-target-postgres15", false, "delete"),
            ("pgleap-r-quiet", true, "delete"),
        ];
        for (name, target_goes, expected) in cases {
            let said = match decide(name, &source, &target, target_goes) {
                Verdict::Keep(_) => "keep",
                Verdict::Wait => "wait",
                Verdict::Delete => "delete",
            };
            assert_eq!(said, expected, "{name}, target goes: {target_goes}");
        }
    }
}
