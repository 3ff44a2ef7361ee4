//! Parameter groups: the run's copies, less those that something lives with.

use pgleap_contract::Run;
use pgleap_rds::parameter_group::ParameterGroup;
use pgleap_rds::{Instance, Rds};
use pgleap_step_kit::prelude::*;

use crate::{Left, target};

/// Groups are found by listing, because the families on the way depend on what preflight found. Run `a` has the prefix of
/// run `a-b` too, which is why the tag decides.
pub(crate) async fn remove(rds: &Rds, run: &Run, left: &mut Left) -> StepResult<()> {
    let groups = rds.groups_beginning(&run.names().prefix()).await?;
    if groups.is_empty() {
        return Ok(());
    }
    let source = rds.instance(&run.source.instance).await?;
    let target = target::instance(rds, run).await?;
    let target_goes = target.as_ref().is_some_and(|target| target.status == "deleting");
    let used_by_source = source.as_ref().and_then(Instance::group_name);
    let used_by_target = target.as_ref().and_then(Instance::group_name);

    for group in groups {
        if !is_tagged(rds, run, &group).await? {
            continue;
        }
        let name = group.name;
        match decide(&name, used_by_source, used_by_target, target_goes) {
            Verdict::Keep(reason) => left.kept(format!("parameter group {name}: {reason}")),
            Verdict::Wait => left.going(format!("parameter group {name}: the target still uses it")),
            Verdict::Delete => delete(rds, &name, left).await?,
        }
    }
    Ok(())
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Keep(&'static str),
    Wait,
    Delete,
}

fn decide(name: &str, used_by_source: Option<&str>, used_by_target: Option<&str>, target_goes: bool) -> Verdict {
    if used_by_source == Some(name) {
        return Verdict::Keep("the source uses it, and detaching it requires a reboot");
    }
    match (used_by_target == Some(name), target_goes) {
        (true, true) => Verdict::Wait,
        (true, false) => Verdict::Keep("the target uses it"),
        (false, _) => Verdict::Delete,
    }
}

/// A group that something else holds (an instance that was renamed, say) is refused by RDS and stays.
async fn delete(rds: &Rds, name: &str, left: &mut Left) -> StepResult<()> {
    match rds.delete_group(name).await.optional() {
        Ok(_gone) => Ok(()),
        Err(error) if error.is(Class::WrongState) => {
            left.kept(format!("parameter group {name}: {}", error.message));
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

async fn is_tagged(rds: &Rds, run: &Run, group: &ParameterGroup) -> StepResult<bool> {
    let arn = group.arn()?;
    let tags = rds.tags(arn, arn).await.optional()?;
    Ok(tags.is_some_and(|tags| pgleap_rds::is_ours(&tags, run)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_that_something_lives_with_stays() {
        let (source, target) = (Some("pgleap-r-source"), Some("pgleap-r-target-postgres18"));
        let cases = [
            ("pgleap-r-source", false, "keep"),
            ("pgleap-r-target-postgres18", false, "keep"),
            ("pgleap-r-target-postgres18", true, "wait"),
            ("pgleap-r-target-postgres15", false, "delete"),
            ("pgleap-r-quiet", true, "delete"),
        ];
        for (name, target_goes, expected) in cases {
            let said = match decide(name, source, target, target_goes) {
                Verdict::Keep(_) => "keep",
                Verdict::Wait => "wait",
                Verdict::Delete => "delete",
            };
            assert_eq!(said, expected, "{name}, target goes: {target_goes}");
        }
    }
}
