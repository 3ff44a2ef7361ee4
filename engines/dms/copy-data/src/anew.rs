//! A load that broke is begun again on empty tables, by another task made from the first one's own mapping and settings.
//! Their number is bounded by the names that a run has for them.
//!
//! In this order, each step seen by the next look: make the next task, with what shall be different written on it; delete
//! the ones before it, whose slots hold WAL on the source; grow the instance, if that is what shall be different; start.
//! Only a full disk grows before all of that.

use aws_sdk_databasemigration::Client;
use aws_sdk_databasemigration::types::ReplicationTask;
use pgleap_contract::steps::RepairKind;
use pgleap_dms::{Memory, Settings, Status};
use pgleap_step_kit::prelude::*;

use crate::failed;
use crate::grow::{self, Larger};

/// Make the next task. Answers what is waited for.
pub(crate) async fn make(
    dms: &Client,
    run: &Run,
    broken: &ReplicationTask,
    memory: &Memory,
    cause: RepairKind,
) -> StepResult<String> {
    let names = run.id.names().tasks();
    let name = broken.replication_task_identifier().unwrap_or_default();
    let give_up = |reason: &str| failed(name, &format!("{reason}: {}", pgleap_dms::words(broken)));
    let Some(next) = names.iter().skip_while(|known| *known != name).nth(1) else {
        return Err(give_up(&format!("the load broke for the {}th time", names.len())));
    };
    // An instance whose disk is full takes no task: it grows first, and the broken task remembers that.
    if cause == RepairKind::DiskFull
        && let Some(waiting_for) = grow::for_broken(dms, run, broken, memory, cause).await?
    {
        return Ok(waiting_for);
    }
    let (mapping, settings) = pgleap_dms::written(dms, broken).await?;
    // It may have broken while tables were loaded again (reload-tables).
    let settings = settings.with_figures(memory.figures.unwrap_or_else(|| settings.figures()));
    let settings = settings.stopping_after_cached_changes(true);
    let change = match cause {
        RepairKind::OutOfMemory => match less_or_larger(dms, run, settings).await? {
            Ok(change) => change,
            Err(reason) => return Err(give_up(&reason)),
        },
        RepairKind::DiskFull => {
            Change { before: memory.before.clone(), after: memory.after.clone(), settings, class: None }
        }
        _ => Change {
            before: pgleap_dms::words(broken),
            after: format!("begun again on empty tables by task {next}"),
            settings,
            class: None,
        },
    };
    let memory = Memory {
        is_loaded: false,
        cause: Some(cause),
        before: change.before,
        after: change.after,
        broke_at: pgleap_dms::stopped_at(broken),
        class: change.class,
        ..Memory::default()
    };
    let answer = dms
        .create_replication_task()
        .replication_task_identifier(next)
        .resource_identifier(run.id.names().task_resource_id(next))
        .set_replication_instance_arn(broken.replication_instance_arn.clone())
        .set_source_endpoint_arn(broken.source_endpoint_arn.clone())
        .set_target_endpoint_arn(broken.target_endpoint_arn.clone())
        .set_migration_type(broken.migration_type.clone())
        .table_mappings(mapping.without_limits().text())
        .replication_task_settings(change.settings.text())
        .set_tags(Some([vec![pgleap_dms::tag(&run.id)], memory.tags()].concat()))
        .send()
        .await;
    match answer.doing(format!("create task {next}")) {
        Err(error) if !error.is(Class::AlreadyThere) => Err(error.into()),
        _made_or_there => Ok(format!("the load broke ({}) and is begun again by {next}", cause.word())),
    }
}

/// What the next task has otherwise.
struct Change {
    before: String,
    after: String,
    settings: Settings,
    class: Option<String>,
}

/// First the task's own appetite is lowered, then the instance grows.
async fn less_or_larger(dms: &Client, run: &Run, settings: Settings) -> StepResult<Result<Change, String>> {
    if let Some(lowered) = settings.lowered() {
        let (before, after) = (settings.appetite(), lowered.appetite());
        return Ok(Ok(Change { before, after, settings: lowered, class: None }));
    }
    let growth = grow::next(dms, run, RepairKind::OutOfMemory).await?;
    Ok(growth.map(|(before, after, larger)| Change { before, after, settings, class: larger.class }))
}

/// What stands between a task and its start, done as far as it can be: what is waited for, or nothing.
pub(crate) async fn prepare(
    dms: &Client,
    run: &Run,
    memory: &Memory,
    earlier: &[ReplicationTask],
) -> StepResult<Option<String>> {
    let mut waiting_for = Vec::new();
    for task in earlier {
        waiting_for.push(remove(dms, task).await?);
    }
    if !waiting_for.is_empty() {
        return Ok(Some(waiting_for.join(", ")));
    }
    grow::to(dms, &run.id.names().replication_instance(), &Larger::of(memory)).await
}

async fn remove(dms: &Client, task: &ReplicationTask) -> StepResult<String> {
    let name = task.replication_task_identifier().unwrap_or_default();
    if Status::of(task) != Status::Deleting {
        let arn = pgleap_dms::task_arn(task)?;
        let answer = dms.delete_replication_task().replication_task_arn(arn).send().await;
        match answer.doing(format!("delete task {name}")) {
            Err(error) if !error.is(Class::WrongState) && !error.is(Class::NotFound) => return Err(error.into()),
            _asked => {}
        }
    }
    Ok(format!("task {name}, whose load broke, is being deleted"))
}
