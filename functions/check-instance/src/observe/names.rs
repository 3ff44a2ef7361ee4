//! Which of the names that the run will use are taken. Nothing of the run can exist when preflight begins, but for the
//! parameter group that an earlier run left to the source.

use pgleap_contract::Generation;
use pgleap_rds::{Rds, is_ours};
use pgleap_step_kit::prelude::*;

use super::Eyes;
use crate::facts::Taken;

pub(super) async fn taken(
    ctx: &Ctx,
    eyes: &mut Eyes,
    rds: &Rds,
    run: &Run,
    families: &[&str],
) -> StepResult<Vec<Taken>> {
    let names = run.names();
    let mut looks = vec![snapshot(rds, run, names.snapshot()).await];
    if let Some(target) = &run.target.instance {
        looks.push(instance(rds, run, target.clone()).await);
    }
    let mut groups = vec![names.source_parameter_group(), names.quiet_parameter_group()];
    groups.extend(families.iter().map(|family| names.target_parameter_group(family)));
    for group in groups {
        looks.push(parameter_group(rds, run, group).await);
    }
    for secret in secrets_of(run) {
        looks.push(of_secret(ctx, run, secret).await);
    }
    eyes.all(looks)
}

/// Of its logins, and of what it notes: the record that an earlier run saved would be put back by this one's rollback, and its
/// mark would decide this one's cutover.
fn secrets_of(run: &Run) -> [String; 6] {
    let names = run.names();
    [
        names.work_secret(),
        names.owner_secret(),
        names.copy_source_secret(),
        names.copy_target_secret(),
        names.record_secret(),
        names.cutover_secret(Generation::FORWARD),
    ]
}

/// One look at a name.
pub(crate) type Look = Result<Option<Taken>, AwsError>;

async fn snapshot(rds: &Rds, run: &Run, name: String) -> Look {
    let found = rds.snapshot(&name).await?;
    Ok(found.map(|found| Taken { kind: "snapshot", ours: found.is_ours(run), name }))
}

async fn instance(rds: &Rds, run: &Run, name: String) -> Look {
    let found = rds.instance(&name).await?;
    Ok(found.map(|found| Taken { kind: "instance", ours: found.is_ours(run), name }))
}

async fn parameter_group(rds: &Rds, run: &Run, name: String) -> Look {
    let Some(group) = rds.group(&name).await? else { return Ok(None) };
    let tags = rds.tags(group.arn()?, &name).await?;
    Ok(Some(Taken { kind: "parameter group", ours: is_ours(&tags, run), name }))
}

async fn of_secret(ctx: &Ctx, run: &Run, name: String) -> Look {
    let found = ctx.describe_secret(&name).await?;
    Ok(found.map(|found| Taken { kind: "secret", ours: found.is_of(run), name }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_an_earlier_run_noted_is_looked_for_like_its_logins() {
        let run: Run = serde_json::from_value(json!({
            "id": "r", "executionArn": "arn", "mode": "upgrade", "copy": {}, "choices": {}, "limits": {},
            "source": {"instance": "orders", "loginSecret": "s"}, "target": {"version": "18", "instance": "orders-v18"},
            "record": {"zoneId": "Z", "name": "db.example"}
        }))
        .expect("a run");

        let found = secrets_of(&run).map(|name| name.replace("pgleap/r/", ""));

        assert_eq!(found, ["work", "owner", "copy-source", "copy-target", "record", "cutover-1"]);
    }
}
