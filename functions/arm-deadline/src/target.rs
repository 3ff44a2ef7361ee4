//! The tag that permits the target's deletion goes before the fence. Its absence proves nothing; a rollback that is
//! recorded in the target itself gives it back (`remove-resources`).

use std::time::Duration;

use pgleap_rds::{Rds, instance};
use pgleap_step_kit::prelude::*;

/// How often the instance is read back, and how long in between.
const LOOKS: usize = 8;
const INTERVAL: Duration = Duration::from_millis(250);

/// Remove the tag, and read back that it is gone.
pub(crate) async fn protect(rds: &Rds, run: &Run) -> StepResult<()> {
    let name = instance::target_name(run)?;
    for look in 0..LOOKS {
        if look > 0 {
            tokio::time::sleep(INTERVAL).await;
        }
        let target = rds.instance(name).await?.filter(|target| target.is_ours(run));
        let target = target.ok_or_else(|| {
            let message = format!("protect target {name}: there is no instance of this name with the run's tag");
            StepError::new(ErrorCode::InstanceFailed, message)
        })?;
        if !target.is_deletable(run) {
            return Ok(());
        }
        let doing = format!("remove tag {} from instance {name}", Names::DELETABLE_TAG);
        rds.remove_tags(target.arn()?, &[Names::DELETABLE_TAG], doing).await?;
    }
    let message = format!("protect target {name}: it still has the tag {}", Names::DELETABLE_TAG);
    Err(StepError::new(ErrorCode::ResourceBusy, message))
}
