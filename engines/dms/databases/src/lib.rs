//! AWS DMS as the databases show it: its control tables on the target, and rows that it carries in commit order.

pub mod notes;

use std::time::Duration;

use pgleap_pg::{Session, marker};
use pgleap_step_kit::{Deadline, StepResult};

/// How often the marker is looked for.
const INTERVAL: Duration = Duration::from_millis(20);

/// Suspended tables and changes that DMS could not apply.
pub async fn problems(target: &Session) -> StepResult<Vec<String>> {
    Ok(notes::read(target).await?)
}

/// From a marker's commit on the source to its sight on the target.
pub async fn lag(source: &Session, target: &Session, longest: Duration) -> StepResult<Option<Duration>> {
    Ok(marker::travel(source, target, "lag", longest, INTERVAL).await?)
}

/// DMS applies change by change in commit order (`BatchApplyEnabled` is off): once the marker is seen, everything that was
/// committed before it is there.
pub async fn await_applied(target: &Session, marker: &str, deadline: &Deadline) -> StepResult<()> {
    while !marker::has(target, marker).await? {
        deadline.pause("drain the source", "the marker has not arrived").await?;
    }
    Ok(())
}
