//! The source as it was when the run began: DDL since just before the snapshot is not on the target, and a table that was
//! truncated or rewritten since was not carried: by DMS since just before the load; by a subscription, which carries TRUNCATE, if
//! its rows were rewritten since just before the snapshot. Either makes the copy wrong for good.
//! And the target as it was when its comparison began: a table that was emptied since is being loaded again.

use pgleap_contract::{ErrorCode, Run};
use pgleap_pg::Session;
use pgleap_pg::fingerprint::{self, Truncate};

use crate::{StepError, StepResult};

/// Refuse to go on with a source that somebody changed under the run; names what is otherwise.
pub async fn refuse_changed_source(run: &Run, source: &Session) -> StepResult<()> {
    let mut changes = fingerprint::changed(source).await?;
    changes.extend(fingerprint::changed_filenodes(source, truncate(run)).await?);
    if changes.is_empty() {
        return Ok(());
    }
    let message = format!("the source was changed during the run: {}", changes.join("; "));
    Err(StepError::new(ErrorCode::SourceChanged, message))
}

fn truncate(run: &Run) -> Truncate {
    if run.copy.engine.traits().carries_truncate { Truncate::IsCarried } else { Truncate::IsLost }
}

/// Tables of the target that were emptied or rewritten since their comparison began: somebody has DMS load them again, and
/// the marker of the drain passes a table that is being loaded.
pub async fn reloaded_tables(run: &Run, target: &Session) -> StepResult<Option<String>> {
    let changes = fingerprint::changed_filenodes(target, truncate(run)).await?;
    let text = || format!("tables of the target were loaded again after they were compared: {}", changes.join("; "));
    Ok((!changes.is_empty()).then(text))
}
