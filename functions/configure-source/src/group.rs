//! Parameter groups: does one serve, make one that does.

use std::collections::BTreeMap;

use pgleap_rds::Rds;
use pgleap_step_kit::prelude::*;

/// What the run's own group sets. Without the first there is no logical decoding. The second is what AWS asks for; prepare-source
/// sets it for the copy's login too, which is all that a source needs that decodes already.
/// Source: AWS DMS user guide, "Using an AWS-managed PostgreSQL database as a DMS source".
const VALUES: [(&str, &str); 2] = [DECODING, ("wal_sender_timeout", "0")];
const DECODING: (&str, &str) = ("rds.logical_replication", "1");

/// Whether a group has logical decoding on.
pub(crate) async fn serves(rds: &Rds, group: &str) -> StepResult<bool> {
    let (name, value) = DECODING;
    Ok(rds.values_of(group).await?.get(name).is_some_and(|set| set == value))
}

/// Whether the run's own group has all its values: an earlier call may have died before it set them.
pub(crate) async fn is_complete(rds: &Rds, own: &str) -> StepResult<bool> {
    let set = rds.values_of(own).await?;
    Ok(VALUES.iter().all(|(name, value)| set.get(*name).is_some_and(|set| set == value)))
}

/// The run's own group, with the values of `from` and ours on top; made if there is none.
pub(crate) async fn make(rds: &Rds, run: &Run, from: &str) -> StepResult<String> {
    let own = run.names().source_parameter_group();
    let model = rds.group(from).await?.ok_or_else(|| {
        StepError::new(ErrorCode::InstanceFailed, format!("copy parameter group {from}: it does not exist"))
    })?;
    if rds.group(&own).await?.is_none() {
        rds.copy_group(run, &model, &own).await?;
    }
    set_values(rds, run, &model.family, &own).await?;
    Ok(own)
}

/// Give the run's own group its values, if it lacks them.
async fn set_values(rds: &Rds, run: &Run, family: &str, own: &str) -> StepResult<()> {
    let wanted: BTreeMap<_, _> = VALUES.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    rds.ensure_group(run, own, family, &wanted).await
}
