//! The choice of the copy engine: what steps that every engine shares ask of it in the databases.
//!
//! An engine is a folder beside this file: its steps, its states of the machines (`<point>.asl.yaml`) and a library that
//! answers these questions. They are asked with the working login, or the owner's. How to add one: `docs/adding-an-engine.md`.

use std::time::Duration;

use pgleap_contract::{CopyEngine, Run};
use pgleap_pg::Session;
use pgleap_step_kit::{Deadline, StepResult};

/// What the engine noted of rows that did not arrive, a sentence each; none is good.
///
/// # Errors
/// One of the two does not answer.
pub async fn problems(run: &Run, source: &Session, target: &Session) -> StepResult<Vec<String>> {
    match run.copy.engine {
        CopyEngine::Dms => dms_databases::problems(target).await,
        CopyEngine::Native => native_databases::problems(run, source, target).await,
    }
}

/// How far the target is behind the source; none if it is more than `longest`. Writes a marker row on the source.
///
/// # Errors
/// One of the two does not answer.
pub async fn lag(run: &Run, source: &Session, target: &Session, longest: Duration) -> StepResult<Option<Duration>> {
    match run.copy.engine {
        CopyEngine::Dms => dms_databases::lag(source, target, longest).await,
        CopyEngine::Native => native_databases::lag(source, target, longest).await,
    }
}

/// Make the engine ready for the drain, while nobody waits for it yet. With the working login.
///
/// # Errors
/// The target does not answer.
pub async fn before_fence(run: &Run, target: &Session) -> StepResult<()> {
    match run.copy.engine {
        CopyEngine::Native => native_databases::before_fence(target).await,
        _ => Ok(()),
    }
}

/// Wait until everything that was committed on the fenced source is on the target. `marker` is a row of `pgleap.marker` that
/// was committed after all of it.
///
/// # Errors
/// The deadline passed, or one of the two does not answer.
pub async fn await_applied(
    run: &Run,
    source: &Session,
    target: &Session,
    marker: &str,
    deadline: &Deadline,
) -> StepResult<()> {
    match run.copy.engine {
        CopyEngine::Dms => dms_databases::await_applied(target, marker, deadline).await,
        CopyEngine::Native => native_databases::await_applied(run, source, target, marker, deadline).await,
    }
}

/// Have the engine start nothing on the target any more. Only after it was seen to have applied everything; may be repeated.
///
/// # Errors
/// The deadline passed, or the target does not answer.
pub async fn stop(run: &Run, target: &Session, deadline: &Deadline) -> StepResult<()> {
    match run.copy.engine {
        CopyEngine::Native => native_databases::stop(run, target, deadline).await,
        // What DMS holds there are sessions; whoever shuts the target ends them.
        _ => Ok(()),
    }
}
