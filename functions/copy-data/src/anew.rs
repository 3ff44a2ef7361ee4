//! A load that broke for a reason that may pass is done once more, by a second task made from the first one's own
//! mapping and settings. Once: the second task's name says that it is the second.
//!
//! In this order, each step seen by the next look: make the second task; delete the first, whose slot holds WAL on the
//! source; if memory ran out, take the next larger class; start. The wanted class is a tag of the second task, because
//! nothing else would remember that the instance has been grown already.

use aws_sdk_databasemigration::Client;
use aws_sdk_databasemigration::types::{Filter, ReplicationTask, Tag};
use pgleap_contract::RunId;
use pgleap_dms::{Ending, Standing, Status};
use pgleap_step_kit::prelude::*;
use serde_json::Value;

const CLASS_TAG: &str = "pgleap:instance-class";

/// Whether a first task that ended so deserves a second one.
pub(crate) fn deserved(ending: Ending) -> bool {
    matches!(ending, Ending::Recoverable | Ending::OutOfMemory)
}

/// Make the second task. Answers what is waited for, or why there is no second try.
pub(crate) async fn make(dms: &Client, run: &RunId, first: &ReplicationTask) -> StepResult<Result<String, String>> {
    let names = run.names();
    let mut request = dms
        .create_replication_task()
        .replication_task_identifier(names.second_task())
        .set_replication_instance_arn(first.replication_instance_arn.clone())
        .set_source_endpoint_arn(first.source_endpoint_arn.clone())
        .set_target_endpoint_arn(first.target_endpoint_arn.clone())
        .set_migration_type(first.migration_type.clone())
        .tags(pgleap_dms::tag(run));
    if pgleap_dms::ending(first) == Ending::OutOfMemory {
        let instance = pgleap_dms::instance(dms, &names.replication_instance()).await?;
        let class = instance.as_ref().and_then(|instance| instance.replication_instance_class()).unwrap_or_default();
        let Some(larger) = larger_class(class) else {
            return Ok(Err(format!(
                "the replication instance ({class}) ran out of memory, and no larger class is known"
            )));
        };
        request = request.tags(Tag::builder().key(CLASS_TAG).value(larger).build());
    }
    let (mappings, settings) = written(dms, first).await?;
    let answer = request.table_mappings(mappings).replication_task_settings(settings).send().await;
    match answer.doing(format!("create task {}", names.second_task())) {
        Err(error) if !error.is(Class::AlreadyThere) => Err(error.into()),
        _made_or_there => Ok(Ok(format!("the load broke and is done once more by {}", names.second_task()))),
    }
}

/// What stands between the second task and its start, done as far as it can be: what is waited for, or nothing.
pub(crate) async fn prepare(
    dms: &Client,
    run: &RunId,
    second: &ReplicationTask,
    first: Option<&ReplicationTask>,
) -> StepResult<Option<String>> {
    if let Some(first) = first {
        return remove(dms, first).await.map(Some);
    }
    let Some(wanted) = wanted_class(dms, second).await? else { return Ok(None) };
    grow(dms, &run.names().replication_instance(), &wanted).await
}

async fn remove(dms: &Client, first: &ReplicationTask) -> StepResult<String> {
    let name = first.replication_task_identifier().unwrap_or_default();
    if Status::of(first) != Status::Deleting {
        let arn = first.replication_task_arn().unwrap_or_default();
        let answer = dms.delete_replication_task().replication_task_arn(arn).send().await;
        match answer.doing(format!("delete task {name}")) {
            Err(error) if !error.is(Class::WrongState) && !error.is(Class::NotFound) => return Err(error.into()),
            _asked => {}
        }
    }
    Ok(format!("task {name}, whose load broke, is being deleted"))
}

async fn wanted_class(dms: &Client, task: &ReplicationTask) -> StepResult<Option<String>> {
    let arn = task.replication_task_arn().unwrap_or_default();
    let answer = dms.list_tags_for_resource().resource_arn(arn).send().await;
    let tags = answer.doing("read the tags of the task")?.tag_list.unwrap_or_default();
    Ok(tags.into_iter().find(|tag| tag.key() == Some(CLASS_TAG)).and_then(|tag| tag.value))
}

/// The status may still read `available` just after the call, so the class decides too.
async fn grow(dms: &Client, name: &str, wanted: &str) -> StepResult<Option<String>> {
    let missing =
        || StepError::new(ErrorCode::ReplicationFailed, format!("grow replication instance {name}: it does not exist"));
    let instance = pgleap_dms::instance(dms, name).await?.ok_or_else(missing)?;
    let status = instance.replication_instance_status().unwrap_or("unknown");
    let has = instance.replication_instance_class().unwrap_or_default();
    match Standing::of(status) {
        Standing::Usable => {}
        Standing::Passing => return Ok(Some(format!("replication instance {name} is {status}"))),
        Standing::Broken => {
            let message = format!("grow replication instance {name}: it is {status}");
            return Err(StepError::new(ErrorCode::InstanceFailed, message));
        }
    }
    if has == wanted {
        return Ok(None);
    }
    let answer = dms
        .modify_replication_instance()
        .replication_instance_arn(instance.replication_instance_arn().unwrap_or_default())
        .replication_instance_class(wanted)
        .apply_immediately(true)
        .send()
        .await;
    match answer.doing(format!("grow replication instance {name} from {has} to {wanted}")) {
        Err(error) if !error.is(Class::WrongState) => Err(error.into()),
        _asked => Ok(Some(format!("replication instance {name} grows from {has} to {wanted}"))),
    }
}

/// The task's mapping and settings, as it was created with them.
async fn written(dms: &Client, task: &ReplicationTask) -> StepResult<(String, String)> {
    let arn = task.replication_task_arn().unwrap_or_default();
    let filter = Filter::builder().name("replication-task-arn").values(arn).build().expect("name and values are set");
    let answer = dms.describe_replication_tasks().filters(filter).send().await;
    let found = answer.doing(format!("read the settings of task {arn}"))?.replication_tasks.unwrap_or_default();
    let task = found
        .into_iter()
        .next()
        .ok_or_else(|| StepError::bug(format!("read the settings of task {arn}: it is gone")))?;
    let settings = task.replication_task_settings.unwrap_or_default();
    Ok((task.table_mappings.unwrap_or_default(), creatable(&settings)?))
}

/// DMS answers settings with the log's names in them and refuses those on creation.
fn creatable(settings: &str) -> StepResult<String> {
    let mut settings: Value = serde_json::from_str(settings)
        .map_err(|error| StepError::bug(format!("read the settings of the task: {error}")))?;
    if let Some(logging) = settings.get_mut("Logging").and_then(Value::as_object_mut) {
        logging.remove("CloudWatchLogGroup");
        logging.remove("CloudWatchLogStream");
    }
    Ok(settings.to_string())
}

/// The next class of the family, which has twice the memory (half as much again from 8xlarge on); the largest burstable
/// one is followed by the smallest with memory for its purpose. Source: AWS documentation, DMS replication instance types.
fn larger_class(class: &str) -> Option<String> {
    const SIZES: &[&str] = &[
        "micro", "small", "medium", "large", "xlarge", "2xlarge", "4xlarge", "8xlarge", "12xlarge", "16xlarge",
        "24xlarge",
    ];
    let (family, size) = class.rsplit_once('.')?;
    if family == "dms.t3" && size == "large" {
        return Some("dms.r6i.large".to_owned());
    }
    let at = SIZES.iter().position(|known| *known == size)?;
    // The families c5 and c4 have no 8xlarge.
    let next = SIZES[at + 1..].iter().find(|next| !(family == "dms.c5" && **next == "8xlarge"))?;
    Some(format!("{family}.{next}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_has_a_larger_one_up_to_a_limit() {
        let cases = [
            ("dms.t3.micro", Some("dms.t3.small")),
            ("dms.t3.medium", Some("dms.t3.large")),
            ("dms.t3.large", Some("dms.r6i.large")),
            ("dms.r6i.large", Some("dms.r6i.xlarge")),
            ("dms.r6i.4xlarge", Some("dms.r6i.8xlarge")),
            ("dms.c5.4xlarge", Some("dms.c5.12xlarge")),
            ("dms.r6i.24xlarge", None),
            ("unknown", None),
            ("", None),
        ];
        for (class, expected) in cases {
            assert_eq!(larger_class(class).as_deref(), expected, "{class}");
        }
    }

    #[test]
    fn settings_that_were_read_can_be_sent() {
        let read = r#"{"Logging":{"EnableLogging":true,"CloudWatchLogGroup":"g","CloudWatchLogStream":"s"},"A":1}"#;

        assert_eq!(creatable(read).expect("settings"), r#"{"Logging":{"EnableLogging":true},"A":1}"#);
        assert!(creatable("").is_err());
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        for ending in [Ending::Recoverable, Ending::OutOfMemory] {
            assert!(deserved(ending));
        }
        for ending in [Ending::Fatal, Ending::StoppedByHand, Ending::CachedChangesApplied] {
            assert!(!deserved(ending));
        }
    }
}
