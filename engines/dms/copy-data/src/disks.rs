//! A full disk of either database shows as a status of its instance: the server is down then, and what DMS sees of that is
//! a connection that it tries again for ever.

use pgleap_rds::instance;
use pgleap_step_kit::prelude::*;

/// A server that RDS has shut down for want of storage.
const FULL: &str = "storage-full";

/// Refuse to go on with it: only its owner can give it more.
pub(crate) async fn refuse_full(ctx: &Ctx, run: &Run) -> StepResult<()> {
    let rds = aws_sdk_rds::Client::new(ctx.aws());
    for (side, name) in [("source", run.source.instance.as_str()), ("target", instance::target_name(run)?)] {
        let found = instance::describe(&rds, name).await?;
        if found.is_some_and(|instance| instance.db_instance_status() == Some(FULL)) {
            let message = format!(
                "look at the {side}: instance {name} is {FULL}, and its database is down until it has more storage"
            );
            return Err(StepError::new(ErrorCode::InstanceFailed, message));
        }
    }
    Ok(())
}
