//! Restore the task's settings as they were before tables were loaded again: full LOB mode for every table, its own
//! parallelism, and a stop after cached changes if it should load again. The task stays stopped, for what comes between
//! the load and the changes.
//!
//! Changes:      DMS (the task stops and loses its rules for large values)
//! Repeatable:   yes; a task that is as it was is left alone
//! If it dies:   the next look goes on from where the task is
//!
//! Before it stops the task, it notes on it that its load is whole: the tables that are still in error are known, every
//! other one was loaded before, so that what follows may resume the task instead of loading again.

use pgleap_contract::steps::{NoOutput, RunOnly};
use pgleap_dms::{Dms, Ending, Memory, Status};
use pgleap_step_kit::prelude::*;

/// One look.
pub async fn run(ctx: &Ctx, input: RunOnly) -> StepResult<Polled<NoOutput>> {
    let dms = Dms::new(ctx);
    let names = input.run.names();
    let task = dms.current_task(&names).await?;
    let task = task.ok_or_else(|| failed(&names.task(), "it does not exist"))?;
    let name = &task.name;
    let memory = dms.memory(&task).await?;
    let (mapping, settings) = dms.written(&task).await?;
    let usual = mapping.without_limits();
    let is_usual = mapping == usual && settings.stops_after_cached_changes();

    match decide(&task.status, task.ending(), is_usual) {
        Verdict::Done => {
            let rested_at = task.stopped_at;
            dms.remember(&task, &Memory { is_loaded: true, rested_at, ..Memory::default() }).await?;
            Ok(Polled::Done(NoOutput {}))
        }
        Verdict::Look(status) => Ok(Polled::Waiting(format!("task {name} is {status}"))),
        Verdict::Fail => Err(failed(name, &task.words())),
        Verdict::Stop => {
            if !memory.is_loaded {
                dms.remember(&task, &Memory { is_loaded: true, ..Memory::default() }).await?;
            }
            Ok(Polled::Waiting(dms.stop(&task).await?))
        }
        Verdict::Change => {
            let settings = settings.with_figures(memory.figures.unwrap_or_else(|| settings.figures()));
            let settings = settings.stopping_after_cached_changes(true);
            Ok(Polled::Waiting(dms.change(&task, &usual, &settings).await?))
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Done,
    Look(String),
    Stop,
    Change,
    Fail,
}

fn decide(status: &Status, ending: Ending, is_usual: bool) -> Verdict {
    match status {
        Status::Passing(status) => Verdict::Look(status.clone()),
        Status::Running if is_usual => Verdict::Done,
        Status::Running => Verdict::Stop,
        Status::Stopped if is_usual => Verdict::Done,
        Status::Stopped if matches!(ending, Ending::StoppedByHand | Ending::CachedChangesApplied) => Verdict::Change,
        Status::Stopped | Status::Failed | Status::Ready | Status::Deleting => Verdict::Fail,
    }
}

fn failed(name: &str, reason: &str) -> StepError {
    StepError::new(ErrorCode::ReplicationFailed, format!("restore the LOB mode of task {name}: {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_is_stopped_and_changed_and_then_left_alone() {
        let by_hand = Ending::StoppedByHand;
        let cases = [
            (Status::Running, by_hand, false, Verdict::Stop),
            (Status::Running, by_hand, true, Verdict::Done),
            (Status::Stopped, by_hand, false, Verdict::Change),
            (Status::Stopped, by_hand, true, Verdict::Done),
            (Status::Failed, Ending::SlotLost, false, Verdict::Fail),
            (Status::Stopped, Ending::Fatal, false, Verdict::Fail),
            (Status::Passing("stopping".to_owned()), by_hand, false, Verdict::Look("stopping".to_owned())),
        ];
        for (status, ending, is_usual, expected) in cases {
            assert_eq!(decide(&status, ending, is_usual), expected, "{status:?} {ending:?} {is_usual}");
        }
    }
}
