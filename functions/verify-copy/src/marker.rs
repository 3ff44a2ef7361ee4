//! Seen to be applied on the target: all that was committed on the source before this moment.

use std::time::Duration;

use pgleap_step_kit::StepResult;

use crate::sums::Sides;

/// How long it may take before the rest is left for the next call.
const TIME: Duration = Duration::from_secs(10);

/// False: the target is too far behind for now.
pub(crate) async fn arrives(sides: &Sides<'_>) -> StepResult<bool> {
    Ok(pgleap_engines::lag(sides.run, sides.source, sides.target, TIME).await?.is_some())
}
