//! Whether the target's server is set so that the source can follow it after OPEN: upgrade-target gave the values to its parameter
//! group, and only the server says whether it has them. Now, because after OPEN a missing one would cost a reboot.

use pgleap_pg::Session;
use pgleap_step_kit::fail_back_settings;
use pgleap_step_kit::prelude::*;

/// Refuse a target that the source could not follow.
pub(crate) async fn prove(run: &Run, target: &Session) -> StepResult<()> {
    if run.fail_back.is_none() {
        return Ok(());
    }
    let keep = i64::try_from(run.limits.max_retained_wal_mb()).unwrap_or(i64::MAX);
    let wrong = fail_back_settings::read(target).await?.wrong(keep..=keep);
    if wrong.is_empty() {
        return Ok(());
    }
    let message = format!(
        "prepare target: failBack is not possible with the target's settings, although its parameter group has others: {}",
        wrong.join("; ")
    );
    Err(StepError::new(ErrorCode::InstanceFailed, message))
}
