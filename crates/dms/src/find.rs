//! The run's DMS objects by name. DMS answers a filter that matches nothing with `ResourceNotFoundFault`, not with an
//! empty list; both mean that the object does not exist.

use aws_sdk_databasemigration::Client;
use aws_sdk_databasemigration::types::{
    Endpoint, Filter, ReplicationInstance, ReplicationSubnetGroup, ReplicationTask, SourceType, Tag,
};
use pgleap_contract::{Names, RunId};
use pgleap_step_kit::aws::{AwsError, Doing, Optional};
use pgleap_step_kit::{StepError, StepResult, arn};

use crate::{Mapping, Settings};

/// The tag that everything of a run carries.
pub fn tag(run: &RunId) -> Tag {
    Tag::builder().key(Names::TAG).value(run.as_str()).build()
}

/// A task's ARN.
///
/// # Errors
/// It has none.
pub fn task_arn(task: &ReplicationTask) -> StepResult<&str> {
    arn(task.replication_task_identifier().unwrap_or("the task"), task.replication_task_arn())
}

/// The ARN of a task's replication instance.
///
/// # Errors
/// It has none.
pub fn instance_arn(task: &ReplicationTask) -> StepResult<&str> {
    arn("the task's replication instance", task.replication_instance_arn())
}

pub(crate) fn filter(name: &str, values: impl IntoIterator<Item = impl Into<String>>) -> Filter {
    let values = values.into_iter().map(Into::into).collect();
    Filter::builder().name(name).set_values(Some(values)).build().expect("name and values are set")
}

/// The replication instance of this name.
pub async fn instance(client: &Client, id: &str) -> Result<Option<ReplicationInstance>, AwsError> {
    let filter = filter("replication-instance-id", [id]);
    let answer = client.describe_replication_instances().filters(filter).send().await;
    let found = answer.doing(format!("describe replication instance {id}")).optional()?;
    Ok(found.and_then(|page| page.replication_instances.unwrap_or_default().into_iter().next()))
}

/// Status of the replication instance of this ARN; `missing` if there is none.
pub async fn instance_status(client: &Client, arn: &str) -> Result<String, AwsError> {
    let filter = filter("replication-instance-arn", [arn]);
    let answer = client.describe_replication_instances().filters(filter).send().await;
    let found = answer.doing(format!("describe replication instance {arn}")).optional()?;
    let instance = found.and_then(|page| page.replication_instances.unwrap_or_default().into_iter().next());
    Ok(instance.and_then(|instance| instance.replication_instance_status).unwrap_or_else(|| "missing".to_owned()))
}

/// The subnet group of this name.
pub async fn subnet_group(client: &Client, id: &str) -> Result<Option<ReplicationSubnetGroup>, AwsError> {
    let filter = filter("replication-subnet-group-id", [id]);
    let answer = client.describe_replication_subnet_groups().filters(filter).send().await;
    let found = answer.doing(format!("describe replication subnet group {id}")).optional()?;
    Ok(found.and_then(|page| page.replication_subnet_groups.unwrap_or_default().into_iter().next()))
}

/// The endpoint of this name.
pub async fn endpoint(client: &Client, id: &str) -> Result<Option<Endpoint>, AwsError> {
    let answer = client.describe_endpoints().filters(filter("endpoint-id", [id])).send().await;
    let found = answer.doing(format!("describe endpoint {id}")).optional()?;
    Ok(found.and_then(|page| page.endpoints.unwrap_or_default().into_iter().next()))
}

/// The run's tasks, the latest first, without their settings: one, or for a while two after a load broke, or none.
pub async fn tasks(client: &Client, names: &Names<'_>) -> Result<Vec<ReplicationTask>, AwsError> {
    let in_order = names.tasks();
    let filter = filter("replication-task-id", in_order.iter());
    let answer = client.describe_replication_tasks().filters(filter).without_settings(true).send().await;
    let found = answer.doing(format!("describe task {}", names.task())).optional()?;
    let mut tasks = found.and_then(|page| page.replication_tasks).unwrap_or_default();
    let place =
        |task: &ReplicationTask| in_order.iter().position(|name| task.replication_task_identifier() == Some(name));
    tasks.sort_by_key(|task| std::cmp::Reverse(place(task)));
    Ok(tasks)
}

/// The task that carries the run now.
pub async fn current_task(client: &Client, names: &Names<'_>) -> Result<Option<ReplicationTask>, AwsError> {
    Ok(tasks(client, names).await?.into_iter().next())
}

/// A task's mapping and settings, as it has them now.
pub async fn written(client: &Client, task: &ReplicationTask) -> StepResult<(Mapping, Settings)> {
    let arn = task_arn(task)?;
    let answer = client.describe_replication_tasks().filters(filter("replication-task-arn", [arn])).send().await;
    let found = answer.doing(format!("read the settings of task {arn}"))?.replication_tasks.unwrap_or_default();
    let task = found
        .into_iter()
        .next()
        .ok_or_else(|| StepError::bug(format!("read the settings of task {arn}: it is gone")))?;
    let mapping = Mapping::read(&task.table_mappings.unwrap_or_default())?;
    Ok((mapping, Settings::read(&task.replication_task_settings.unwrap_or_default())?))
}

/// What DMS says has happened to an instance or a task in the last hour, newest last, at most five sentences: the
/// reason behind a bad status. Never fails: the status alone must do if events cannot be read.
pub async fn events(client: &Client, kind: SourceType, id: &str) -> String {
    let answer = client.describe_events().source_type(kind).source_identifier(id).duration(60).send().await;
    let events = match answer.doing(format!("describe events of {id}")) {
        Ok(page) => page.events.unwrap_or_default(),
        Err(error) => {
            tracing::info!(error = error.to_string(), "no events to read");
            Vec::new()
        }
    };
    let newest = events.len().saturating_sub(5);
    events[newest..].iter().filter_map(|event| event.message.as_deref()).collect::<Vec<_>>().join("; ")
}
