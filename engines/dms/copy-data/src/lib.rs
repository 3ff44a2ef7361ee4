//! Load the target: start the task, poll it until it has stopped after the changes that came during the load, and
//! repair what goes wrong with it.
//!
//! Changes:      DMS (the task is started once; after a load that broke another task takes its place, and the
//!               replication instance may grow), target (the rows that DMS writes)
//! Repeatable:   yes; a task that was started is never started again, only looked at
//! If it dies:   DMS goes on loading; the next look sees how far it is
//!
//! A full load that broke is never resumed: after a failure the task's checkpoint may already be a position in the
//! log, and the resumed task would then follow changes over tables that hold no rows (reported for DMS by one team,
//! documented nowhere). Where the reason can be mended, the load is begun again on empty tables by another task
//! (`anew.rs`), which takes less memory or finds a larger instance if memory was the reason. Once the load has ended
//! well, the task is tagged so; what fails from then on is resumed by resume-replication, but for a lost slot.
//!
//! A load counts as done only if DMS stopped it for the reason that was asked for, no table is in error, and
//! every table says "completed"; whether the rows are really there is for verify-copy to find out.

mod anew;
mod decide;
mod disks;
mod grow;
mod start;

use std::time::{SystemTime, UNIX_EPOCH};

use pgleap_contract::steps::{CopyDataInput, CopyDataOutput, CopyProgress, Repair, RepairKind, TableName};
use pgleap_dms::{Dms, Memory, TableProblems, Task};
use pgleap_step_kit::prelude::*;

use crate::decide::{Verdict, decide};

/// One look.
pub async fn run(ctx: &Ctx, input: CopyDataInput) -> StepResult<CopyDataOutput> {
    disks::refuse_full(ctx, &input.run).await?;
    let dms = Dms::new(ctx);
    let names = input.run.names();
    let tasks = dms.tasks(&names).await?;
    let task = tasks.first().ok_or_else(|| failed(&names.task(), "it does not exist"))?;
    let name = &task.name;
    let memory = dms.memory(task).await?;
    let mut repairs = input.repairs;
    memory.repair(task).into_iter().for_each(|repair| Repair::note(&mut repairs, repair));

    if decide::broke_in_changes(task, &memory) {
        Repair::note(&mut repairs, went_on(task));
    }
    let mut in_error = Vec::new();
    let waiting_for = match decide(task, &memory) {
        Verdict::Start => match anew::prepare(&dms, &input.run, &memory, &tasks[1..]).await? {
            Some(waiting_for) => Some(waiting_for),
            None => Some(start::start(&dms, task).await?),
        },
        Verdict::Look(waiting_for) => Some(format!("task {name} {waiting_for}")),
        Verdict::MakeAnew(cause) => Some(anew::make(&dms, &input.run, task, &memory, cause).await?),
        Verdict::Grow(cause) => grow::for_broken(&dms, &input.run, task, &memory, cause).await?,
        Verdict::NameTables | Verdict::Done => {
            let problems = dms.table_problems(task).await?;
            let waiting_for = judge(name, decide(task, &memory) == Verdict::Done, &problems)?;
            in_error = problems.in_error;
            waiting_for
        }
        Verdict::Fail(reason) => return Err(failed(name, &reason)),
    };
    if waiting_for.is_none() && !memory.is_loaded {
        dms.remember(task, &Memory { is_loaded: true, ..Memory::default() }).await?;
    }
    Ok(CopyDataOutput {
        done: waiting_for.is_none(),
        waiting_for: waiting_for.unwrap_or_default(),
        in_error: !in_error.is_empty(),
        tables_in_error: in_error,
        progress: progress(task),
        repairs,
    })
}

/// resume-replication does it next.
fn went_on(task: &Task) -> Repair {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let stopped = task.stopped_at.map_or(now, i64::unsigned_abs);
    Repair {
        kind: RepairKind::ChangesBroken,
        tables: Vec::new(),
        before: task.words(),
        after: "resumed from its last position".to_owned(),
        seconds: now.saturating_sub(stopped),
        estimated_cost: None,
    }
}

/// A good end needs every table complete. Answers what is waited for, tables in error among it, or nothing; refuses what
/// no reload mends.
fn judge(name: &str, done: bool, problems: &TableProblems) -> StepResult<Option<String>> {
    let too_many = problems.errored > TableName::MOST_IN_ERROR as u64;
    if problems.missing > 0 || too_many || (done && problems.errored == 0 && problems.unfinished > 0) {
        return Err(StepError::new(ErrorCode::TablesInError, format!("load tables of task {name}: {problems}")));
    }
    if done && problems.tables == 0 {
        return Err(failed(name, "it stopped as if it were complete, but it has no tables"));
    }
    if problems.errored > 0 {
        return Ok(Some(format!("tables in error: {problems}")));
    }
    Ok((!done).then(|| format!("task {name}: the statistics of its tables are not final yet")))
}

fn progress(task: &Task) -> CopyProgress {
    let load = task.progress.unwrap_or_default();
    CopyProgress {
        percent: load.percent,
        tables_loaded: load.tables_loaded,
        tables_loading: load.tables_loading,
        tables_queued: load.tables_queued,
        tables_errored: load.tables_errored,
    }
}

fn failed(name: &str, reason: &str) -> StepError {
    StepError::new(ErrorCode::ReplicationFailed, format!("load with task {name}: {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_in_error_are_waited_for_and_what_no_reload_mends_is_refused() {
        let problems =
            |tables, errored, unfinished| TableProblems { tables, errored, unfinished, ..TableProblems::default() };
        let missing = TableProblems { missing: 1, ..problems(3, 1, 0) };
        let cases = [
            (true, problems(3, 0, 0), Ok(false)),
            (true, problems(3, 1, 0), Ok(true)),
            (true, problems(3, 1, 1), Ok(true)),
            (true, problems(300, 101, 0), Err(ErrorCode::TablesInError)),
            (true, missing, Err(ErrorCode::TablesInError)),
            (true, problems(3, 0, 1), Err(ErrorCode::TablesInError)),
            (true, problems(0, 0, 0), Err(ErrorCode::ReplicationFailed)),
            (false, problems(3, 0, 2), Ok(true)),
            (false, problems(3, 1, 2), Ok(true)),
        ];
        for (done, problems, expected) in cases {
            let judged = judge("t", done, &problems).map(|waiting_for| waiting_for.is_some());

            assert_eq!(judged.map_err(|error| error.code), expected, "done {done}, {problems}");
        }
    }
}
