//! A larger replication instance, in the order that AWS gives: with no task running, modify at once, look until it is
//! available and has the class, then go on; a start that is refused for its connection tests has them made again.

use aws_sdk_databasemigration::Client;
use aws_sdk_databasemigration::types::ReplicationTask;
use pgleap_contract::steps::RepairKind;
use pgleap_dms::{Memory, Standing};
use pgleap_step_kit::prelude::*;

use crate::failed;

/// The class that the instance has and the next one that the Region offers within the run's limit.
pub(crate) async fn next_class(dms: &Client, run: &Run) -> StepResult<Result<(String, String), String>> {
    let instance = pgleap_dms::instance(dms, &run.id.names().replication_instance()).await?;
    let has = instance.as_ref().and_then(|instance| instance.replication_instance_class()).unwrap_or_default();
    let engine = instance.as_ref().and_then(|instance| instance.engine_version()).unwrap_or_default();
    let offered = pgleap_dms::offered_classes(dms, engine).await?;
    let limit = run.limits.max_replication_instance_class.as_deref();
    Ok(match pgleap_dms::next_larger(has, &offered, limit) {
        Some(larger) => Ok((has.to_owned(), larger)),
        None => Err(match limit {
            Some(limit) => {
                format!("{has} ran out of memory, and limits.maxReplicationInstanceClass ({limit}) has no more")
            }
            None => format!("{has} ran out of memory, and the Region offers no larger class"),
        }),
    })
}

/// The task broke after its load, while it followed changes. Answers what is waited for; nothing means that it can be
/// resumed. The task's tags say whether this failure has had its growth already.
pub(crate) async fn after_changes_broke(
    dms: &Client,
    run: &Run,
    task: &ReplicationTask,
    memory: &Memory,
) -> StepResult<Option<String>> {
    let broke_at = pgleap_dms::stopped_at(task);
    if let Some(wanted) = memory.class.as_deref().filter(|_| memory.broke_at == broke_at) {
        return to(dms, &run.id.names().replication_instance(), wanted).await;
    }
    let (has, larger) = match next_class(dms, run).await? {
        Ok(classes) => classes,
        Err(reason) => {
            let name = task.replication_task_identifier().unwrap_or_default();
            return Err(failed(name, &format!("{reason}: {}", pgleap_dms::words(task))));
        }
    };
    let memory = Memory {
        is_loaded: true,
        cause: Some(RepairKind::OutOfMemory),
        before: has,
        after: larger.clone(),
        broke_at,
        class: Some(larger.clone()),
        ..Memory::default()
    };
    pgleap_dms::remember(dms, task, &memory).await?;
    Ok(Some(format!("the replication instance shall grow to {larger}")))
}

/// Answers what is waited for. The status may still read `available` just after the call, so the class decides too.
pub(crate) async fn to(dms: &Client, name: &str, wanted: &str) -> StepResult<Option<String>> {
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
