//! Find the servers of a run that may be incomplete, so that the recovery knows where to connect.
//!
//! Changes:      nothing
//! Repeatable:   yes
//! If it dies:   nothing has happened

use pgleap_contract::steps::{FindServersInput, FindServersOutput};
use pgleap_rds::{Rds, instance};
use pgleap_step_kit::prelude::*;

/// Where the source listens, and the target if the run has made one. An instance of the target's name that the run has
/// not made is a stranger's, and none of its business; one without an endpoint has nothing in it yet.
pub async fn run(ctx: &Ctx, input: FindServersInput) -> StepResult<FindServersOutput> {
    let run = &input.run;
    let rds = Rds::new(ctx);
    let Some(source) = rds.instance(&run.source.instance).await? else {
        return nothing_touched(ctx, &input, gone(run, "there is no such instance")).await;
    };
    let Some(database) = run.source.database.clone().or_else(|| source.database.clone()) else {
        let name = &run.source.instance;
        let reason = format!("source.database: instance {name} has no database name, so the input must give one");
        return nothing_touched(ctx, &input, StepError::new(ErrorCode::BadInput, reason)).await;
    };
    let target = rds.instance(instance::target_name(run)?).await?;
    let ours = target.filter(|instance| instance.is_ours(run));
    let source = source.server(&database).ok_or_else(|| gone(run, "it has no endpoint"))?;
    Ok(FindServersOutput { source: Some(source), target: ours.and_then(|target| target.server(&database)) })
}

/// An input that names nothing was never connected to by anybody, unless the mark says otherwise.
async fn nothing_touched(ctx: &Ctx, input: &FindServersInput, unless: StepError) -> StepResult<FindServersOutput> {
    match pgleap_mark::read(ctx, &input.run, input.generation).await? {
        None => Ok(FindServersOutput { source: None, target: None }),
        Some(_armed) => Err(unless),
    }
}

fn gone(run: &Run, reason: &str) -> StepError {
    StepError::new(ErrorCode::InstanceFailed, format!("find source {}: {reason}", run.source.instance))
}
