//! One run of a source at a time, also of other stacks: what a run makes of its source carries its execution's ARN.
//!
//! A tag only says where to look. Whether the run is under way is asked of Step Functions, so a tag that somebody's death
//! left behind stops nobody.

use pgleap_contract::{Mode, Run};
use pgleap_rds::{Instance, Rds, Tags};
use pgleap_step_kit::prelude::*;

use crate::{execution, request};

/// Names of parameter groups that a run has made begin so.
const GROUPS: &str = "pgleap-";

/// Refuse a run whose source another execution is upgrading, whoever started that.
pub(crate) async fn refuse_second(ctx: &Ctx, run: &Run) -> StepResult<()> {
    let rds = Rds::new(ctx);
    let Some(source) = rds.instance(&run.source.instance).await? else { return Ok(()) };
    // From soon after its beginning to its end a run has a snapshot of the source.
    let snapshots = rds.snapshots_of(&run.source.instance).await?;
    let mut tags: Vec<Tags> = snapshots.into_iter().map(|snapshot| snapshot.tags).collect();
    tags.extend(tags_of_group(&rds, &source).await?);
    for arn in executions(&tags, &run.execution_arn) {
        if is_under_way(ctx, &arn, run).await? {
            let message = format!("start run: another stack is already upgrading {}: {arn}", run.source.instance);
            return Err(StepError::new(ErrorCode::AnotherRun, message));
        }
    }
    Ok(())
}

/// The first thing that a run makes is a parameter group, if the source needs one.
async fn tags_of_group(rds: &Rds, source: &Instance) -> StepResult<Option<Tags>> {
    let group = source.group_name().filter(|name| name.starts_with(GROUPS));
    let (Some(group), Some(arn)) = (group, &source.arn) else { return Ok(None) };
    let Some((before, _)) = arn.split_once(":db:") else { return Ok(None) };
    let tags = rds.tags(&format!("{before}:pg:{group}"), &format!("parameter group {group}")).await;
    Ok(tags.optional()?)
}

/// Other executions that the tags name, each once.
fn executions(tags: &[Tags], own: &str) -> Vec<String> {
    let named = tags.iter().filter_map(|tags| tags.get(Names::EXECUTION_TAG));
    let mut found: Vec<_> = named.filter(|arn| *arn != own).cloned().collect();
    found.sort();
    found.dedup();
    found
}

/// An execution of an upgrade of this very source; what Step Functions has forgotten is over.
async fn is_under_way(ctx: &Ctx, arn: &str, run: &Run) -> StepResult<bool> {
    match execution(ctx, arn).await {
        Ok(found) => {
            let other = request::to_run(arn, found.input).ok();
            let works_on_it =
                other.is_some_and(|other| other.mode == Mode::Upgrade && other.source.instance == run.source.instance);
            Ok(found.is_running && works_on_it)
        }
        Err(error) if error.code == ErrorCode::BadInput => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_executions_are_found_once_each() {
        let tag = |key: &str, value: &str| Tags::from([(key.to_owned(), value.to_owned())]);
        let tags = [
            tag(Names::EXECUTION_TAG, "arn:b"),
            tag(Names::TAG, "orders-18"),
            tag(Names::EXECUTION_TAG, "arn:own"),
            tag(Names::EXECUTION_TAG, "arn:a"),
            tag(Names::EXECUTION_TAG, "arn:b"),
        ];

        assert_eq!(executions(&tags, "arn:own"), ["arn:a", "arn:b"]);
    }
}
