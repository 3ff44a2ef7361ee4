//! Find the servers of a run that may be half made, so that the way back knows where to go.
//!
//! Changes:      nothing
//! Repeatable:   yes
//! Undo:         nothing to undo
//! If it dies:   nothing has happened
//! Fails with:   InstanceFailed (final: the source is gone or has no endpoint), BadInput (final: no database is named),
//!               AccessDenied (final), Throttled, ServiceUnavailable (retried)

use aws_sdk_rds::Client;
use aws_sdk_rds::types::DbInstance;
use pgleap_contract::steps::{FindServersOutput, RunOnly};
use pgleap_step_kit::prelude::*;

/// Where the source listens, and the target if the run has made one.
pub async fn run(ctx: &Ctx, input: RunOnly) -> StepResult<FindServersOutput> {
    let run = &input.run;
    let rds = Client::new(ctx.aws());
    let source = describe(&rds, &run.source.instance).await?.ok_or_else(|| gone(run, "there is no such instance"))?;
    let database = run.source.database.clone().or_else(|| source.db_name.clone()).ok_or_else(|| {
        StepError::new(ErrorCode::BadInput, format!("source.database: {} names no database of its own", run.source.instance))
    })?;
    let target = match &run.target.instance {
        Some(name) => describe(&rds, name).await?.filter(|instance| is_ours(instance, run)),
        None => None,
    };
    Ok(FindServersOutput {
        source: server(&source, &database).ok_or_else(|| gone(run, "it has no endpoint"))?,
        target: target.and_then(|target| server(&target, &database)),
    })
}

async fn describe(rds: &Client, name: &str) -> StepResult<Option<DbInstance>> {
    let answer = rds.describe_db_instances().db_instance_identifier(name).send().await;
    let found = answer.doing(format!("describe instance {name}")).optional()?;
    Ok(found.and_then(|found| found.db_instances.unwrap_or_default().into_iter().next()))
}

/// An instance of that name which the run has not made is a stranger's, and none of its business.
fn is_ours(instance: &DbInstance, run: &Run) -> bool {
    instance.tag_list().iter().any(|tag| tag.key() == Some(Names::TAG) && tag.value() == Some(run.id.as_str()))
}

/// Absent as long as the instance has no endpoint: then nothing can have happened in it.
fn server(instance: &DbInstance, database: &str) -> Option<Server> {
    let endpoint = instance.endpoint()?;
    Some(Server {
        host: endpoint.address()?.to_owned(),
        port: u16::try_from(endpoint.port()?).ok()?,
        database: database.to_owned(),
    })
}

fn gone(run: &Run, reason: &str) -> StepError {
    StepError::new(ErrorCode::InstanceFailed, format!("find source {}: {reason}", run.source.instance))
}
