//! The run's tasks by name, and what describes anything by a filter. DMS answers a filter that matches nothing with
//! `ResourceNotFoundFault`, not with an empty list; both mean that the object does not exist.

use aws_sdk_databasemigration::types::{Filter, SourceType, Tag};
use pgleap_contract::{Names, Run, RunId};
use pgleap_step_kit::aws::{AwsError, Doing, Optional};
use pgleap_step_kit::{StepError, StepResult};

use crate::{Dms, Mapping, Settings, Task};

/// The operator's own tags, and the one that everything of a run carries.
pub(crate) fn tags(run: &Run) -> Vec<Tag> {
    let own = run.tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build());
    own.chain([tag(&run.id)]).collect()
}

/// The tag that everything of a run carries.
pub(crate) fn tag(run: &RunId) -> Tag {
    Tag::builder().key(Names::TAG).value(run.as_str()).build()
}

pub(crate) fn filter(name: &str, values: impl IntoIterator<Item = impl Into<String>>) -> Filter {
    let values = values.into_iter().map(Into::into).collect();
    Filter::builder().name(name).set_values(Some(values)).build().expect("name and values are set")
}

impl Dms {
    /// The run's tasks, the latest first, without their settings: one, or for a while two after a load broke, or none.
    pub async fn tasks(&self, names: &Names<'_>) -> Result<Vec<Task>, AwsError> {
        let in_order = names.tasks();
        let filter = filter("replication-task-id", in_order.iter());
        let answer = self.client.describe_replication_tasks().filters(filter).without_settings(true).send().await;
        let found = answer.doing(format!("describe task {}", names.task())).optional()?;
        let found = found.and_then(|page| page.replication_tasks).unwrap_or_default();
        let mut tasks: Vec<Task> = found.into_iter().map(Task::of).collect();
        tasks.sort_by_key(|task| std::cmp::Reverse(in_order.iter().position(|name| task.name == *name)));
        Ok(tasks)
    }

    /// The task that carries the run now.
    pub async fn current_task(&self, names: &Names<'_>) -> Result<Option<Task>, AwsError> {
        Ok(self.tasks(names).await?.into_iter().next())
    }

    /// Whether there is a task of this name.
    pub async fn has_task(&self, name: &str) -> Result<bool, AwsError> {
        let filter = filter("replication-task-id", [name]);
        let answer = self.client.describe_replication_tasks().filters(filter).without_settings(true).send().await;
        let found = answer.doing(format!("describe replication task {name}")).optional()?;
        Ok(found.is_some_and(|page| !page.replication_tasks().is_empty()))
    }

    /// A task's mapping and settings, as it has them now.
    pub async fn written(&self, task: &Task) -> StepResult<(Mapping, Settings)> {
        let arn = task.arn()?;
        let filter = filter("replication-task-arn", [arn]);
        let answer = self.client.describe_replication_tasks().filters(filter).send().await;
        let found = answer.doing(format!("read the settings of task {arn}"))?.replication_tasks.unwrap_or_default();
        let gone = || StepError::bug(format!("read the settings of task {arn}: the task no longer exists"));
        let task = found.into_iter().next().ok_or_else(gone)?;
        let mapping = Mapping::read(&task.table_mappings.unwrap_or_default())?;
        Ok((mapping, Settings::read(&task.replication_task_settings.unwrap_or_default())?))
    }

    /// What DMS says has happened to an instance in the last hour, newest last, at most five sentences: the reason
    /// behind a bad status. Never fails: the status alone must do if events cannot be read.
    pub(crate) async fn events_of_instance(&self, id: &str) -> String {
        let request = self.client.describe_events().source_type(SourceType::ReplicationInstance).source_identifier(id);
        let events = match request.duration(60).send().await.doing(format!("describe events of {id}")) {
            Ok(page) => page.events.unwrap_or_default(),
            Err(error) => {
                tracing::info!(error = error.to_string(), "cannot read the events");
                Vec::new()
            }
        };
        let newest = events.len().saturating_sub(5);
        events[newest..].iter().filter_map(|event| event.message.as_deref()).collect::<Vec<_>>().join("; ")
    }
}
