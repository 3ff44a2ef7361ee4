//! A full disk of either database shows as a status of its instance: the server is down then, and what DMS sees of that is
//! a connection that it tries again for ever.

use pgleap_rds::{Rds, instance};
use pgleap_step_kit::prelude::*;

/// A server that RDS has shut down for want of storage.
const FULL: &str = "storage-full";

/// Refuse to go on with it: only its owner can give it more.
pub(crate) async fn refuse_full(ctx: &Ctx, run: &Run) -> StepResult<()> {
    let rds = Rds::new(ctx);
    for (side, name) in [("source", run.source.instance.as_str()), ("target", instance::target_name(run)?)] {
        let found = rds.instance(name).await?;
        if found.is_some_and(|instance| instance.status == FULL) {
            let message = format!(
                "check the {side}: instance {name} is {FULL}, and its database is down until you give it more storage"
            );
            return Err(StepError::new(ErrorCode::InstanceFailed, message));
        }
    }
    Ok(())
}
