//! Load the tables in error again, with their large values in limited LOB mode and limits that they fit into; every
//! other table stays in full LOB mode.
//!
//! Changes:      DMS (the task stops, gets a rule for each table, resumes, loads the tables again), target (these tables)
//! Repeatable:   yes; what was asked for is seen in the task and in its statistics, and is not asked for again
//! If it dies:   DMS goes on loading; the next look sees how far it is
//!
//! The limits are rules of the tables and not the task's mode: the task goes on to carry changes of all others, whose
//! values nobody has measured. `FailTasksOnLobTruncation` stays on at the endpoint: a value that has become longer than
//! its limit fails the task, and cuts nothing. The task's preparation mode empties a table before its load.

mod decide;

use pgleap_contract::steps::{LobLimit, ReloadTablesInput, ReloadTablesOutput, Repair, RepairKind, TableName};
use pgleap_dms::{Dms, Ending, Memory, Task};
use pgleap_step_kit::prelude::*;

use crate::decide::{Verdict, decide, sort};

/// One look.
pub async fn run(ctx: &Ctx, input: ReloadTablesInput) -> StepResult<Polled<ReloadTablesOutput>> {
    let dms = Dms::new(ctx);
    let names = input.run.names();
    let task = dms.current_task(&names).await?;
    let task = task.ok_or_else(|| failed(&names.task(), "it does not exist"))?;
    let name = &task.name;
    let (mapping, settings) = dms.written(&task).await?;
    let wanted = mapping.with_limits(&input.limits);
    let is_set = mapping.has_limits_of(&wanted) && !settings.stops_after_cached_changes();

    let waiting_for = match decide(&task.status, task.ending(), is_set) {
        Verdict::Look(status) => format!("task {name} is {status}"),
        Verdict::Stop => dms.stop(&task).await?,
        Verdict::Change => {
            let memory = dms.memory(&task).await?;
            if memory.figures.is_none() {
                let figures = Some(settings.figures());
                dms.remember(&task, &Memory { figures, ..Memory::default() }).await?;
            }
            let largest = input.limits.iter().map(|limit| limit.kilobytes).max().unwrap_or(0);
            dms.change(&task, &wanted, &settings.for_reload(largest)).await?
        }
        Verdict::Resume => dms.resume_task(&task).await?,
        Verdict::Fail => return Err(failed(name, &task.words())),
        Verdict::Reload => return reload(&dms, &task, input).await,
    };
    Ok(Polled::Waiting(waiting_for))
}

/// Ask for the tables that were not loaded since the task runs with its limits, and look at the others.
async fn reload(dms: &Dms, task: &Task, input: ReloadTablesInput) -> StepResult<Polled<ReloadTablesOutput>> {
    let tables: Vec<TableName> = input.limits.iter().map(name_of).collect();
    let loads = dms.tables(task, &tables).await?;
    let resumed = task.started_at.unwrap_or(0.0);
    let sorted = sort(&loads, resumed);
    dms.reload(task, &sorted.to_ask).await?;
    let waited_for = sorted.to_ask.len() + sorted.loading;
    if waited_for > 0 || loads.is_empty() {
        let waiting_for = format!("{waited_for} of {} tables in error are being loaded again", tables.len());
        return Ok(Polled::Waiting(waiting_for));
    }
    let mut repairs = input.repairs;
    if !sorted.loaded.is_empty() {
        let seconds = (sorted.last_end - resumed).max(0.0) as u64;
        Repair::note(&mut repairs, repair(&sorted.loaded, &input.limits, seconds));
    }
    Ok(Polled::Done(ReloadTablesOutput { reloaded: sorted.loaded, failed: sorted.failed, repairs }))
}

fn repair(loaded: &[TableName], limits: &[LobLimit], seconds: u64) -> Repair {
    let largest = limits.iter().filter(|limit| loaded.contains(&name_of(limit))).map(|limit| limit.kilobytes).max();
    let after = match largest.unwrap_or(0) {
        0 => format!("{} tables loaded again in full LOB mode", loaded.len()),
        largest => format!("{} tables loaded again, large values in limited LOB mode up to {largest} KB", loaded.len()),
    };
    let mut tables: Vec<String> = loaded.iter().take(Repair::MOST_TABLES).map(ToString::to_string).collect();
    tables.sort();
    let before = "in error, large values in full LOB mode".to_owned();
    Repair { kind: RepairKind::TablesInError, tables, before, after, seconds, estimated_cost: None }
}

fn name_of(limit: &LobLimit) -> TableName {
    TableName { schema: limit.schema.clone(), table: limit.table.clone() }
}

fn failed(name: &str, reason: &str) -> StepError {
    StepError::new(ErrorCode::ReplicationFailed, format!("reload tables with task {name}: {reason}"))
}

/// An end that the task can be resumed from: its own after the load, or somebody's stop, this step's for one.
fn can_go_on(ending: Ending) -> bool {
    matches!(ending, Ending::CachedChangesApplied | Ending::StoppedByHand)
}
