//! An instance and what RDS says happened to it.

use aws_sdk_rds::Client;
use aws_sdk_rds::primitives::DateTime;
use aws_sdk_rds::types::{DbInstance, Event, SourceType, Tag};
use pgleap_contract::{Names, Run, Server, redact};
use pgleap_step_kit::prelude::*;

/// DescribeEvents looks back an hour by default, and two weeks at most, in minutes.
/// Source: Amazon RDS API reference, DescribeEvents, Duration.
const TWO_WEEKS: i32 = 20_160;

/// Longest text of events in an error, in bytes.
const LONGEST_EVENTS: usize = 3_000;

/// An instance, if there is one of that name.
pub async fn describe(rds: &Client, name: &str) -> StepResult<Option<DbInstance>> {
    let answer = rds.describe_db_instances().db_instance_identifier(name).send().await;
    let found = answer.doing(format!("describe instance {name}")).optional()?;
    Ok(found.and_then(|found| found.db_instances.unwrap_or_default().into_iter().next()))
}

/// Name of the run's target; `start-run` fills it in.
pub fn target_name(run: &Run) -> StepResult<&str> {
    run.target.instance.as_deref().ok_or_else(|| StepError::bug("the run does not name its target"))
}

/// Whether the instance carries the run's tag.
pub fn is_ours(instance: &DbInstance, run: &Run) -> bool {
    carries(instance, Names::TAG, run)
}

/// Whether the instance carries the tag by which the run may delete it.
pub fn is_deletable(instance: &DbInstance, run: &Run) -> bool {
    carries(instance, Names::DELETABLE_TAG, run)
}

fn carries(instance: &DbInstance, key: &str, run: &Run) -> bool {
    instance.tag_list().iter().any(|tag| tag.key() == Some(key) && tag.value() == Some(run.id.as_str()))
}

/// The tag by which the run may delete what it made.
pub fn deletable_tag(run: &Run) -> Tag {
    Tag::builder().key(Names::DELETABLE_TAG).value(run.id.as_str()).build()
}

/// The run's tag.
pub fn tag(run: &Run) -> Tag {
    Tag::builder().key(Names::TAG).value(run.id.as_str()).build()
}

/// The run's tag, and its execution's: for what a run makes of its source, where runs of other stacks look for it.
pub fn tags_of_source(run: &Run) -> Vec<Tag> {
    vec![tag(run), Tag::builder().key(Names::EXECUTION_TAG).value(&run.execution_arn).build()]
}

/// Its status for people, with how far the work on its storage is: `storage-initialization (35 %)`.
pub fn status(instance: &DbInstance) -> String {
    let status = instance.db_instance_status().unwrap_or("unknown");
    let percent = instance.storage_operation_percent_progress().map(|percent| percent.to_string());
    match percent.or_else(|| instance.percent_progress().map(|percent| percent.trim_end_matches('%').to_owned())) {
        Some(percent) => format!("{status} ({percent} %)"),
        None => status.to_owned(),
    }
}

/// Where it listens, once it has an endpoint.
pub fn server(instance: &DbInstance, database: &str) -> Option<Server> {
    let endpoint = instance.endpoint()?;
    let port = u16::try_from(endpoint.port()?).ok()?;
    let storage_gib = storage_gib(instance);
    Some(Server { host: endpoint.address()?.to_owned(), port, database: database.to_owned(), storage_gib })
}

/// Its storage in GiB, as far as it grows by itself.
fn storage_gib(instance: &DbInstance) -> Option<u32> {
    let most = instance.allocated_storage().max(instance.max_allocated_storage())?;
    u32::try_from(most).ok()
}

/// What happened to it after a moment (all of two weeks if none is given), oldest first.
pub async fn events(rds: &Client, name: &str, after: Option<DateTime>) -> StepResult<Vec<Event>> {
    let mut found = Vec::new();
    let request = rds.describe_events().source_type(SourceType::DbInstance).source_identifier(name).duration(TWO_WEEKS);
    let mut pages = request.into_paginator().send();
    while let Some(page) = pages.next().await {
        found.extend(page.doing(format!("describe events of instance {name}"))?.events.unwrap_or_default());
    }
    found.retain(|event| match (event.date(), after) {
        (Some(date), Some(after)) => *date > after,
        _ => after.is_none(),
    });
    Ok(found)
}

/// The last of the events, as text for an error.
pub fn text_of(events: &[Event]) -> String {
    let mut lines: Vec<&str> = Vec::new();
    let mut length = 0;
    for message in events.iter().rev().filter_map(|event| event.message()) {
        length += message.len() + 2;
        if length > LONGEST_EVENTS {
            break;
        }
        lines.push(message);
    }
    lines.reverse();
    redact(&lines.join("; "))
}

/// The error for an instance that no waiting mends, with RDS's own words.
pub async fn failed(rds: &Client, name: &str, doing: &str, reason: &str) -> StepError {
    let said = match events(rds, name, None).await {
        Ok(events) => text_of(&events),
        Err(error) => format!("its events cannot be read: {error}"),
    };
    StepError::new(ErrorCode::InstanceFailed, format!("{doing} {name}: {reason}; events: {said}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_comes_with_its_progress() {
        let initializing = || DbInstance::builder().db_instance_status("storage-initialization");
        let cases = [
            (DbInstance::builder().build(), "unknown"),
            (DbInstance::builder().db_instance_status("available").build(), "available"),
            (initializing().build(), "storage-initialization"),
            (initializing().percent_progress("35").build(), "storage-initialization (35 %)"),
            (initializing().storage_operation_percent_progress(40).build(), "storage-initialization (40 %)"),
        ];
        for (instance, expected) in cases {
            assert_eq!(status(&instance), expected);
        }
    }
}
