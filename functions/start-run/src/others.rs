//! One run of a source at a time: a second one would take the first one's schema, slot and fence for its own.

use pgleap_contract::{Mode, Run};
use pgleap_executions::Executions;
use pgleap_step_kit::prelude::*;
use serde_json::Value;

use crate::{Execution, execution, request};

/// Machines of the stack, by name and by what they do.
const UPGRADE: &str = "-upgrade";
const RECOVER: &str = "-recover";

/// An execution that has a hand on a database.
#[derive(Debug, Clone, PartialEq)]
struct Other {
    arn: String,
    started: f64,
    source: String,
    run_id: String,
    is_recovery: bool,
}

/// Refuse a run while an earlier one, or a recovery, works on its source or by its name.
pub(crate) async fn refuse_second(ctx: &Ctx, run: &Run) -> StepResult<()> {
    let Some(machine) = machine_of(&run.execution_arn) else { return Ok(()) };
    let executions = Executions::new(ctx);
    let running = executions.running(&machine).await?;
    // An execution that its own list does not show yet is later than all that it shows.
    let started = running.iter().find(|one| one.arn == run.execution_arn).map_or(f64::INFINITY, |one| one.started);
    let mut others = Vec::new();
    for one in running.iter().filter(|one| one.arn != run.execution_arn) {
        others.extend(look(ctx, &one.arn, one.started, false).await?);
    }
    if let Some(recover) = machine.strip_suffix(UPGRADE).map(|stack| format!("{stack}{RECOVER}")) {
        for one in executions.running(&recover).await? {
            others.extend(look(ctx, &one.arn, one.started, true).await?);
        }
    }
    refuse(first(run, started, &others))
}

/// A run that was refused has nothing to recover, and with a name that both have its recovery would undo the other one.
/// So would that of an execution that was stopped before it could be refused.
pub(crate) async fn refuse_recovery(ctx: &Ctx, run: &Run, dead: &Execution) -> StepResult<()> {
    if dead.error == ErrorCode::AnotherRun.word() {
        return Err(StepError::new(ErrorCode::AnotherRun, "recover run: the run was refused and has changed nothing"));
    }
    let Some(machine) = machine_of(&run.execution_arn) else { return Ok(()) };
    let mut others = Vec::new();
    for one in Executions::new(ctx).running(&machine).await? {
        if one.arn != run.execution_arn {
            others.extend(look(ctx, &one.arn, one.started, false).await?);
        }
    }
    refuse(first(run, dead.started, &others))?;
    wait_for(same_name(run, &others))
}

/// Events are delivered at least once, and a person may start a recovery at any time: a later execution may have taken over
/// the run id meanwhile. All names derive from it, so this recovery would delete what that one has made. Waited for rather than
/// refused: it may be about to end as `AnotherRun`, and then the recovery is needed.
fn wait_for(other: Option<&Other>) -> StepResult<()> {
    let Some(other) = other else { return Ok(()) };
    let message = format!("recover run {}: another execution uses this run id: {}", other.run_id, other.arn);
    Err(StepError::new(ErrorCode::ResourceBusy, message))
}

fn same_name<'a>(run: &Run, others: &'a [Other]) -> Option<&'a Other> {
    others.iter().find(|other| other.run_id == run.id.as_str())
}

fn refuse(other: Option<&Other>) -> StepResult<()> {
    let Some(other) = other else { return Ok(()) };
    let what = if other.is_recovery { "the recovery of run" } else { "run" };
    let message = format!("start run: {what} {} of {} is in progress: {}", other.run_id, other.source, other.arn);
    Err(StepError::new(ErrorCode::AnotherRun, message))
}

/// The one that was first; of two that began together, the one whose name comes first.
fn first<'a>(run: &Run, started: f64, others: &'a [Other]) -> Option<&'a Other> {
    let same = |other: &&Other| other.source == run.source.instance || other.run_id == run.id.as_str();
    let before = |other: &&Other| {
        other.is_recovery
            || other.started < started
            || (other.started <= started && other.arn.as_str() < run.execution_arn.as_str())
    };
    others.iter().filter(same).find(before)
}

/// `arn:..:execution:<machine>:<name>` → `arn:..:stateMachine:<machine>`.
fn machine_of(execution_arn: &str) -> Option<String> {
    let (before, rest) = execution_arn.split_once(":execution:")?;
    let (machine, _) = rest.split_once(':')?;
    Some(format!("{before}:stateMachine:{machine}"))
}

/// What an execution works on; none if it only looks, or will refuse its input itself, or has ended meanwhile.
async fn look(ctx: &Ctx, arn: &str, started: f64, is_recovery: bool) -> StepResult<Option<Other>> {
    let Some(mut input) = read(ctx, arn).await? else { return Ok(None) };
    let mut upgrade = arn.to_owned();
    if is_recovery {
        let Some(of) = input["executionArn"].as_str().map(str::to_owned) else { return Ok(None) };
        let Some(found) = read(ctx, &of).await? else { return Ok(None) };
        (input, upgrade) = (found, of);
    }
    let run = request::to_run(&upgrade, input).ok().filter(|run| run.mode == Mode::Upgrade);
    Ok(run.map(|run| Other {
        arn: arn.to_owned(),
        started,
        source: run.source.instance,
        run_id: run.id.to_string(),
        is_recovery,
    }))
}

async fn read(ctx: &Ctx, arn: &str) -> StepResult<Option<Value>> {
    match execution(ctx, arn).await {
        Err(error) if error.code == ErrorCode::BadInput => Ok(None),
        other => other.map(|found| Some(found.input)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const PREFIX: &str = "arn:aws:states:eu-west-1:1:execution:orders-upgrade:";

    fn a_run() -> Run {
        let request = json!({
            "source": {"instance": "orders-db", "loginSecret": "arn"}, "target": {"version": "18"},
            "record": {"zoneId": "Z1", "name": "db.example.com"}
        });
        request::to_run(&format!("{PREFIX}m"), request).expect("a run")
    }

    fn other(name: &str, started: f64, source: &str, is_recovery: bool) -> Other {
        Other {
            arn: format!("{PREFIX}{name}"),
            started,
            source: source.to_owned(),
            run_id: name.to_owned(),
            is_recovery,
        }
    }

    #[test]
    fn the_later_of_two_runs_of_a_source_or_a_name_is_refused_and_the_earlier_is_not() {
        let cases = [
            (other("a", 1.0, "orders-db", false), true),
            (other("a", 3.0, "orders-db", false), false),
            (other("a", 2.0, "orders-db", false), true),
            (other("z", 2.0, "orders-db", false), false),
            (other("a", 1.0, "another-db", false), false),
            (other("m", 1.0, "another-db", false), true),
            (other("a", 3.0, "orders-db", true), true),
        ];
        for (other, refused) in cases {
            assert_eq!(first(&a_run(), 2.0, std::slice::from_ref(&other)).is_some(), refused, "{other:?}");
        }
    }

    #[test]
    fn a_recovery_waits_for_a_later_execution_of_its_run_id_and_for_no_other() {
        let cases = [
            (other("m", 3.0, "orders-db", false), true),
            (other("m", 3.0, "another-db", false), true),
            (other("z", 3.0, "orders-db", false), false),
        ];
        for (other, waits) in cases {
            let others = [other];
            assert!(first(&a_run(), 2.0, &others).is_none(), "not the first: {others:?}");
            let waited_for = wait_for(same_name(&a_run(), &others));
            assert_eq!(
                waited_for.err().map(|error| error.code),
                waits.then_some(ErrorCode::ResourceBusy),
                "{others:?}"
            );
        }
    }

    #[test]
    fn a_machine_is_known_by_its_executions() {
        let machine = "arn:aws:states:eu-west-1:1:stateMachine:orders-upgrade";

        assert_eq!(machine_of(&format!("{PREFIX}m")).as_deref(), Some(machine));
        assert_eq!(machine_of("arn"), None);
    }
}
