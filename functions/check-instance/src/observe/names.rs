//! Which of the names that the run will use are taken. Nothing of the run can exist when preflight begins, but for the
//! parameter group that an earlier run left to the source.

use aws_sdk_rds as rds;
use aws_sdk_secretsmanager as secrets;
use pgleap_contract::Generation;
use pgleap_step_kit::prelude::*;

use super::Eyes;
use crate::facts::Taken;

pub(super) async fn taken(
    eyes: &mut Eyes,
    rds: &rds::Client,
    secrets: &secrets::Client,
    run: &Run,
    families: &[&str],
) -> StepResult<Vec<Taken>> {
    let names = run.id.names();
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
        looks.push(of_secret(secrets, run, secret).await);
    }
    eyes.all(looks)
}

/// Of its logins, and of what it notes: the record that an earlier run saved would be put back by this one's rollback, and its
/// mark would decide this one's cutover.
fn secrets_of(run: &Run) -> [String; 6] {
    let names = run.id.names();
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

fn is_ours<'a>(run: &Run, mut tags: impl Iterator<Item = (Option<&'a str>, Option<&'a str>)>) -> bool {
    tags.any(|tag| tag == (Some(Names::TAG), Some(run.id.as_str())))
}

async fn snapshot(client: &rds::Client, run: &Run, name: String) -> Look {
    let answer = client.describe_db_snapshots().db_snapshot_identifier(&name).send().await;
    let found = answer.doing(format!("describe snapshot {name}")).optional()?;
    let found = found.and_then(|found| found.db_snapshots.unwrap_or_default().into_iter().next());
    Ok(found.map(|found| {
        let ours = is_ours(run, found.tag_list().iter().map(|tag| (tag.key(), tag.value())));
        Taken { kind: "snapshot", name, ours }
    }))
}

async fn instance(client: &rds::Client, run: &Run, name: String) -> Look {
    let answer = client.describe_db_instances().db_instance_identifier(&name).send().await;
    let found = answer.doing(format!("describe instance {name}")).optional()?;
    let found = found.and_then(|found| found.db_instances.unwrap_or_default().into_iter().next());
    Ok(found.map(|found| {
        let ours = is_ours(run, found.tag_list().iter().map(|tag| (tag.key(), tag.value())));
        Taken { kind: "instance", name, ours }
    }))
}

async fn parameter_group(client: &rds::Client, run: &Run, name: String) -> Look {
    let answer = client.describe_db_parameter_groups().db_parameter_group_name(&name).send().await;
    let found = answer.doing(format!("describe parameter group {name}")).optional()?;
    let group = found.and_then(|found| found.db_parameter_groups.unwrap_or_default().into_iter().next());
    let Some(arn) = group.and_then(|group| group.db_parameter_group_arn) else { return Ok(None) };
    let tags = client.list_tags_for_resource().resource_name(arn).send().await.doing(format!("list tags of {name}"))?;
    let ours = is_ours(run, tags.tag_list().iter().map(|tag| (tag.key(), tag.value())));
    Ok(Some(Taken { kind: "parameter group", name, ours }))
}

async fn of_secret(client: &secrets::Client, run: &Run, name: String) -> Look {
    let answer = client.describe_secret().secret_id(&name).send().await;
    let found = answer.doing(format!("describe secret {name}")).optional()?;
    Ok(found.map(|found| {
        let ours = is_ours(run, found.tags().iter().map(|tag| (tag.key(), tag.value())));
        Taken { kind: "secret", name, ours }
    }))
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
