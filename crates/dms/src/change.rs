//! What is done to a task: made, started, stopped, given another mapping and other settings, resumed, deleted.

use aws_sdk_databasemigration::types::{MigrationTypeValue, StartReplicationTaskTypeValue};
use pgleap_contract::Run;
use pgleap_step_kit::StepResult;
use pgleap_step_kit::aws::{AwsError, Class, Doing};

use crate::find::tag;
use crate::{Dms, Mapping, Memory, Settings, Task};

/// A task to be made: full load, then changes.
#[derive(Debug, Clone, PartialEq)]
pub struct NewTask<'a> {
    /// Its identifier.
    pub name: &'a str,
    /// ARN of the replication instance that it runs on.
    pub instance_arn: &'a str,
    /// ARNs of its endpoints, source first.
    pub endpoint_arns: [&'a str; 2],
    /// Its table mapping, as JSON.
    pub mapping: String,
    /// Its settings, as JSON.
    pub settings: String,
    /// What it remembers from its beginning.
    pub memory: Memory,
}

impl Dms {
    /// Make a task of the run's own. Does not start it.
    pub async fn create_task(&self, run: &Run, new: NewTask<'_>) -> Result<(), AwsError> {
        let [source, target] = new.endpoint_arns;
        let create = self
            .client
            .create_replication_task()
            .replication_task_identifier(new.name)
            .resource_identifier(run.names().task_resource_id(new.name))
            .replication_instance_arn(new.instance_arn)
            .source_endpoint_arn(source)
            .target_endpoint_arn(target)
            .migration_type(MigrationTypeValue::FullLoadAndCdc)
            .table_mappings(new.mapping)
            .replication_task_settings(new.settings)
            .set_tags(Some([vec![tag(&run.id)], new.memory.tags()].concat()));
        create.send().await.doing(format!("create task {}", new.name)).map(|_created| ())
    }

    /// Start a task for the first time.
    pub async fn start_task(&self, task: &Task) -> Result<(), AwsError> {
        let start = self.client.start_replication_task().replication_task_arn(task.arn()?);
        let answer = start.start_replication_task_type(StartReplicationTaskTypeValue::StartReplication).send().await;
        answer.doing(format!("start task {}", task.name)).map(|_started| ())
    }

    /// Let a task go on from where it stopped. Answers what is waited for.
    pub async fn resume_task(&self, task: &Task) -> StepResult<String> {
        let name = &task.name;
        let resume = self.client.start_replication_task().replication_task_arn(task.arn()?);
        let answer = resume.start_replication_task_type(StartReplicationTaskTypeValue::ResumeProcessing).send().await;
        match answer.doing(format!("resume task {name}")) {
            Ok(_started) => Ok(format!("task {name} is resuming")),
            // A resumption whose answer was lost.
            Err(error) if error.is(Class::WrongState) => Ok(format!("task {name}: {}", error.message)),
            Err(error) => Err(error.into()),
        }
    }

    /// Stop a task.
    pub async fn stop_task(&self, task: &Task) -> Result<(), AwsError> {
        let answer = self.client.stop_replication_task().replication_task_arn(task.arn()?).send().await;
        answer.doing(format!("stop task {}", task.name)).map(|_stopping| ())
    }

    /// Stop a task. Answers what is waited for; one that has just ended by itself is looked at again.
    pub async fn stop(&self, task: &Task) -> StepResult<String> {
        match self.stop_task(task).await {
            Err(error) if !error.is(Class::WrongState) => Err(error.into()),
            _asked => Ok(format!("task {} is stopping", task.name)),
        }
    }

    /// Change a task's mapping and settings. Answers what is waited for.
    pub async fn change(&self, task: &Task, mapping: &Mapping, settings: &Settings) -> StepResult<String> {
        let name = &task.name;
        let modify = self
            .client
            .modify_replication_task()
            .replication_task_arn(task.arn()?)
            .table_mappings(mapping.text())
            .replication_task_settings(settings.text());
        match modify.send().await.doing(format!("modify task {name}")) {
            Err(error) if !error.is(Class::WrongState) => Err(error.into()),
            _asked => Ok(format!("task {name} is being modified")),
        }
    }

    /// Delete a task.
    pub async fn delete_task(&self, task: &Task) -> Result<(), AwsError> {
        let answer = self.client.delete_replication_task().replication_task_arn(task.arn()?).send().await;
        answer.doing(format!("delete task {}", task.name)).map(|_deleting| ())
    }
}
