//! The sequences that the warm-up has put on the target, remembered by the process with where they stood then. A process that
//! remembers nothing sets all of them.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pgleap_contract::Run;
use pgleap_pg::sequences::Ahead;

/// How long the warm-up may take to set them.
const LONGEST: Duration = Duration::from_secs(20);

static REMEMBERED: Mutex<Option<(String, Ahead)>> = Mutex::new(None);

/// All of them were set, for this execution.
pub(crate) fn remember(run: &Run, ahead: Ahead) {
    *remembered() = Some((run.execution_arn.clone(), ahead));
}

/// Nothing is known to be set any more.
pub(crate) fn forget() {
    *remembered() = None;
}

/// What was set for this execution.
pub(crate) fn recall(run: &Run) -> Ahead {
    let remembered = remembered();
    let of_run = remembered.as_ref().filter(|(execution, _)| *execution == run.execution_arn);
    of_run.map(|(_, ahead)| ahead.clone()).unwrap_or_default()
}

/// The moment after which the warm-up sets nothing, in milliseconds since the epoch.
pub(crate) fn soon() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from((now + LONGEST).as_millis()).unwrap_or(i64::MAX)
}

fn remembered() -> MutexGuard<'static, Option<(String, Ahead)>> {
    REMEMBERED.lock().unwrap_or_else(PoisonError::into_inner)
}
