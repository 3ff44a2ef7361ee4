//! Load the tables in error again, their large values in limited LOB mode under limits that hold them; every other table
//! stays in full LOB mode.
//!
//! Changes:      DMS (the task stops, gets a rule for each table, resumes, loads the tables again), target (these tables)
//! Repeatable:   yes; what was asked for is seen in the task and in its statistics, and is not asked for again
//! If it dies:   DMS goes on loading; the next look sees how far it is
//!
//! The limits are rules of the tables and not the task's mode: the task goes on to carry changes of all others, whose
//! values nobody has measured. `FailTasksOnLobTruncation` stays on at the endpoint: a value that has become longer than
//! its limit fails the task, and cuts nothing. The task's preparation mode empties a table before its load.

mod decide;

use aws_sdk_databasemigration::Client;
use aws_sdk_databasemigration::types::{ReplicationTask, StartReplicationTaskTypeValue, TableToReload};
use pgleap_contract::steps::{LobLimit, ReloadTablesInput, ReloadTablesOutput, Repair, RepairKind, TableName};
use pgleap_dms::{Ending, Memory, Status};
use pgleap_step_kit::prelude::*;

use crate::decide::{Verdict, decide, sort};

/// Tables in one request (AWS documentation, ReloadTables).
const AT_ONCE: usize = 10;

/// One look.
pub async fn run(ctx: &Ctx, input: ReloadTablesInput) -> StepResult<Polled<ReloadTablesOutput>> {
    let dms = Client::new(ctx.aws());
    let names = input.run.id.names();
    let task = pgleap_dms::current_task(&dms, &names).await?;
    let task = task.ok_or_else(|| failed(&names.task(), "it does not exist"))?;
    let name = task.replication_task_identifier().unwrap_or_default();
    let (mapping, settings) = pgleap_dms::written(&dms, &task).await?;
    let wanted = mapping.with_limits(&input.limits);
    let is_set = mapping.has_limits_of(&wanted) && !settings.stops_after_cached_changes();

    let waiting_for = match decide(&Status::of(&task), pgleap_dms::ending(&task), is_set) {
        Verdict::Look(status) => format!("task {name} is {status}"),
        Verdict::Stop => pgleap_dms::stop(&dms, &task).await?,
        Verdict::Change => {
            let memory = Memory::of(&dms, &task).await?;
            if memory.figures.is_none() {
                let figures = Some(settings.figures());
                pgleap_dms::remember(&dms, &task, &Memory { figures, ..Memory::default() }).await?;
            }
            let largest = input.limits.iter().map(|limit| limit.kilobytes).max().unwrap_or(0);
            pgleap_dms::change(&dms, &task, &wanted, &settings.for_reload(largest)).await?
        }
        Verdict::Resume => resume(&dms, &task).await?,
        Verdict::Fail => return Err(failed(name, &pgleap_dms::words(&task))),
        Verdict::Reload => return reload(&dms, &task, input).await,
    };
    Ok(Polled::Waiting(waiting_for))
}

/// Ask for the tables that were not loaded since the task runs with its limits, and look at the others.
async fn reload(
    dms: &Client,
    task: &ReplicationTask,
    input: ReloadTablesInput,
) -> StepResult<Polled<ReloadTablesOutput>> {
    let arn = pgleap_dms::task_arn(task)?;
    let tables: Vec<TableName> = input.limits.iter().map(name_of).collect();
    let statistics = pgleap_dms::tables(dms, arn, &tables).await?;
    let resumed = task.replication_task_start_date.map_or(0.0, |date| date.as_secs_f64());
    let sorted = sort(&statistics, resumed);
    for some in sorted.to_ask.chunks(AT_ONCE) {
        let names = some.iter().map(|table| {
            let named = TableToReload::builder().schema_name(&table.schema).table_name(&table.table).build();
            named.map_err(|error| StepError::bug(format!("name table {table}: {error}")))
        });
        let names = names.collect::<StepResult<Vec<_>>>()?;
        let answer = dms.reload_tables().replication_task_arn(arn).set_tables_to_reload(Some(names)).send().await;
        match answer.doing("reload tables") {
            // The task has just ended; the next look sees why.
            Err(error) if error.is(Class::WrongState) => {}
            other => drop(other?),
        }
    }
    let waited_for = sorted.to_ask.len() + sorted.loading;
    if waited_for > 0 || statistics.is_empty() {
        let waiting_for = format!("{waited_for} of {} tables in error are loaded again", tables.len());
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

async fn resume(dms: &Client, task: &ReplicationTask) -> StepResult<String> {
    let name = task.replication_task_identifier().unwrap_or_default();
    let answer = dms
        .start_replication_task()
        .replication_task_arn(pgleap_dms::task_arn(task)?)
        .start_replication_task_type(StartReplicationTaskTypeValue::ResumeProcessing)
        .send()
        .await;
    match answer.doing(format!("resume task {name}")) {
        Ok(_started) => Ok(format!("task {name} resumes")),
        // A resumption whose answer was lost.
        Err(error) if error.is(Class::WrongState) => Ok(format!("task {name}: {}", error.message)),
        Err(error) => Err(error.into()),
    }
}

fn failed(name: &str, reason: &str) -> StepError {
    StepError::new(ErrorCode::ReplicationFailed, format!("reload tables with task {name}: {reason}"))
}

/// An end that the task can be resumed from: its own after the load, or somebody's stop, this step's for one.
fn can_go_on(ending: Ending) -> bool {
    matches!(ending, Ending::CachedChangesApplied | Ending::StoppedByHand)
}
