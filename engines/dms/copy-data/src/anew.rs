//! A load that broke is begun again on empty tables, by another task made from the first one's own mapping and settings.
//! Their number is bounded by the names that a run has for them.
//!
//! In this order, each step seen by the next look: make the next task, with what shall be different written on it; delete
//! the ones before it, whose slots hold WAL on the source; grow the instance, if that is what shall be different; start.
//! Only a full disk grows before all of that.

use pgleap_contract::steps::RepairKind;
use pgleap_dms::{Dms, Memory, NewTask, Settings, Status, Task};
use pgleap_step_kit::prelude::*;

use crate::failed;
use crate::grow::{self, Larger};

/// Make the next task. Answers what is waited for.
pub(crate) async fn make(
    dms: &Dms,
    run: &Run,
    broken: &Task,
    memory: &Memory,
    cause: RepairKind,
) -> StepResult<String> {
    let names = run.names().tasks();
    let name = &broken.name;
    let give_up = |reason: &str| failed(name, &format!("{reason}: {}", broken.words()));
    let Some(next) = names.iter().skip_while(|known| *known != name).nth(1) else {
        return Err(give_up(&format!("the load failed {} times", names.len())));
    };
    // An instance whose disk is full takes no task: it grows first, and the broken task remembers that.
    if cause == RepairKind::DiskFull
        && let Some(waiting_for) = grow::for_broken(dms, run, broken, memory, cause).await?
    {
        return Ok(waiting_for);
    }
    let (mapping, settings) = dms.written(broken).await?;
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
            before: broken.words(),
            after: format!("restarted on empty tables by task {next}"),
            settings,
            class: None,
        },
    };
    let memory = Memory {
        is_loaded: false,
        cause: Some(cause),
        before: change.before,
        after: change.after,
        broke_at: broken.stopped_at,
        class: change.class,
        ..Memory::default()
    };
    let new = NewTask {
        name: next,
        instance_arn: broken.instance_arn()?,
        endpoint_arns: broken.endpoint_arns()?,
        mapping: mapping.without_limits().text(),
        settings: change.settings.text(),
        memory,
    };
    match dms.create_task(run, new).await {
        Err(error) if !error.is(Class::AlreadyThere) => Err(error.into()),
        _made_or_there => Ok(format!("the load failed ({}), and task {next} restarts it", cause.word())),
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
async fn less_or_larger(dms: &Dms, run: &Run, settings: Settings) -> StepResult<Result<Change, String>> {
    if let Some(lowered) = settings.lowered() {
        let (before, after) = (settings.appetite(), lowered.appetite());
        return Ok(Ok(Change { before, after, settings: lowered, class: None }));
    }
    let growth = grow::next(dms, run, RepairKind::OutOfMemory).await?;
    Ok(growth.map(|(before, after, larger)| Change { before, after, settings, class: larger.class }))
}

/// What stands between a task and its start, done as far as it can be: what is waited for, or nothing.
pub(crate) async fn prepare(dms: &Dms, run: &Run, memory: &Memory, earlier: &[Task]) -> StepResult<Option<String>> {
    let mut waiting_for = Vec::new();
    for task in earlier {
        waiting_for.push(remove(dms, task).await?);
    }
    if !waiting_for.is_empty() {
        return Ok(Some(waiting_for.join(", ")));
    }
    grow::to(dms, &run.names().replication_instance(), &Larger::of(memory)).await
}

async fn remove(dms: &Dms, task: &Task) -> StepResult<String> {
    if task.status != Status::Deleting {
        match dms.delete_task(task).await {
            Err(error) if !error.is(Class::WrongState) && !error.is(Class::NotFound) => return Err(error.into()),
            _asked => {}
        }
    }
    Ok(format!("task {}, whose load failed, is being deleted", task.name))
}
