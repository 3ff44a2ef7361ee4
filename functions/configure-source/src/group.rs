//! Parameter groups: does one serve, make one that does.

use std::collections::BTreeMap;

use aws_sdk_rds::Client;
use aws_sdk_rds::types::Tag;
use pgleap_rds::instance;
use pgleap_rds::parameter_group::{self, COPIED_FROM};
use pgleap_step_kit::prelude::*;

/// What the run's own group sets. Without the first there is no logical decoding. The second is what AWS asks for; prepare-source
/// sets it for the copy's login too, which is all that a source needs that decodes already.
/// Source: AWS DMS user guide, "Using an AWS-managed PostgreSQL database as a DMS source".
const VALUES: [(&str, &str); 2] = [DECODING, ("wal_sender_timeout", "0")];
const DECODING: (&str, &str) = ("rds.logical_replication", "1");

/// Whether a group has logical decoding on.
pub(crate) async fn serves(rds: &Client, group: &str) -> StepResult<bool> {
    let (name, value) = DECODING;
    Ok(parameter_group::values_of(rds, group).await?.get(name).is_some_and(|set| set == value))
}

/// Whether the run's own group has all its values: an earlier call may have died before it set them.
pub(crate) async fn is_complete(rds: &Client, own: &str) -> StepResult<bool> {
    let set = parameter_group::values_of(rds, own).await?;
    Ok(VALUES.iter().all(|(name, value)| set.get(*name).is_some_and(|set| set == value)))
}

/// The run's own group, with the values of `from` and ours on top; made if there is none.
pub(crate) async fn make(rds: &Client, run: &Run, from: &str) -> StepResult<String> {
    let own = run.id.names().source_parameter_group();
    let model = parameter_group::describe(rds, from).await?;
    let family = model.and_then(|model| model.db_parameter_group_family).ok_or_else(|| {
        StepError::new(ErrorCode::InstanceFailed, format!("copy parameter group {from}: there is no such group"))
    })?;
    if parameter_group::describe(rds, &own).await?.is_none() {
        copy(rds, run, from, &family, &own).await?;
    }
    set_values(rds, run, &family, &own).await?;
    Ok(own)
}

/// Give the run's own group its values, if it lacks them.
async fn set_values(rds: &Client, run: &Run, family: &str, own: &str) -> StepResult<()> {
    let wanted: BTreeMap<_, _> = VALUES.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    parameter_group::ensure(rds, run, own, family, &wanted).await
}

/// A default group cannot be copied, and has no values of the user's.
/// Source: Amazon RDS API reference, CopyDBParameterGroup.
async fn copy(rds: &Client, run: &Run, from: &str, family: &str, own: &str) -> StepResult<()> {
    let mut tags = instance::tags_of_source(run);
    tags.push(Tag::builder().key(COPIED_FROM).value(from).build());
    let description = format!("pgleap run {}: {from} with logical replication", run.id);
    let outcome = if from.starts_with("default.") {
        let create = rds.create_db_parameter_group().db_parameter_group_name(own).db_parameter_group_family(family);
        let create = create.description(description).set_tags(Some(tags));
        create.send().await.doing(format!("create parameter group {own}")).map(|_| ())
    } else {
        let copy = rds
            .copy_db_parameter_group()
            .source_db_parameter_group_identifier(from)
            .target_db_parameter_group_identifier(own)
            .target_db_parameter_group_description(description)
            .set_tags(Some(tags));
        copy.send().await.doing(format!("copy parameter group {from} to {own}")).map(|_| ())
    };
    match outcome {
        // Another call of this step made it a moment ago.
        Err(error) if error.is(Class::AlreadyThere) => Ok(()),
        other => Ok(other?),
    }
}
