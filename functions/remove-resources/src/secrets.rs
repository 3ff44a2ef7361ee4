//! The run's secrets: without a recovery window, because their logins are gone and the names may be wanted again.

use aws_sdk_secretsmanager::Client;
use pgleap_contract::{Generation, Run};
use pgleap_step_kit::prelude::*;

use crate::Left;

/// Those that nothing needs any more but what is removed with them.
pub(crate) fn first(run: &Run) -> Vec<String> {
    let names = run.id.names();
    vec![names.dms_source_secret(), names.dms_target_secret(), names.record_secret()]
}

/// Those by which a recovery finds its way: the mark at the very end.
pub(crate) fn last(run: &Run, generation: Generation) -> Vec<String> {
    let names = run.id.names();
    vec![names.work_secret(), names.cutover_secret(generation)]
}

/// Delete each of these that carries the run's tag.
pub(crate) async fn remove(secrets: &Client, run: &Run, names: &[String], left: &mut Left) -> StepResult<()> {
    for name in names {
        let answer = secrets.describe_secret().secret_id(name).send().await;
        let Some(found) = answer.doing(format!("describe secret {name}")).optional()? else { continue };
        if found.deleted_date().is_some() {
            continue;
        }
        if !found.tags().iter().any(|tag| tag.key() == Some(Names::TAG) && tag.value() == Some(run.id.as_str())) {
            left.kept(format!("secret {name}: it does not carry this run's tag"));
            continue;
        }
        let answer = secrets.delete_secret().secret_id(name).force_delete_without_recovery(true).send().await;
        answer.doing(format!("delete secret {name}")).optional()?;
    }
    Ok(())
}
