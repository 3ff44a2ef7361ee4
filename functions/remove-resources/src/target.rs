//! The copy and the snapshot that it was made of.
//!
//! Deleting a database is the one thing here that nobody can undo, and a tag is weak proof: a run id may be used again,
//! and then a production database, the target of an earlier run, might carry this run's tag. So the target goes only if
//! this run can have made it: it is tagged, the run's own snapshot still exists (it is deleted after the target, never
//! before), and the instance is younger than that snapshot. And an opened target loses the tag.

use aws_sdk_rds::Client;
use aws_sdk_rds::types::{DbInstance, DbSnapshot, Tag};
use pgleap_contract::Run;
use pgleap_step_kit::prelude::*;

use crate::Left;

/// On the way back: the target, then the snapshot.
pub(crate) async fn remove(rds: &Client, run: &Run, left: &mut Left) -> StepResult<()> {
    let snapshot = snapshot(rds, run).await?;
    if let Some(instance) = instance(rds, run).await? {
        match decide(run, &instance, snapshot.as_ref()) {
            Verdict::Keep(reason) => left.kept(format!("instance {}: {reason}", name_of(run))),
            Verdict::Wait => {
                left.going(format!("instance {} is being deleted", name_of(run)));
                return Ok(());
            }
            Verdict::Unprotect => return unprotect(rds, run, left).await,
            Verdict::Delete => return delete(rds, run, left).await,
        }
    }
    remove_snapshot(rds, run, snapshot.as_ref(), left).await
}

/// After OPEN: the target is the applications' now, so it loses the tag by which a run may delete it.
pub(crate) async fn release(rds: &Client, run: &Run, left: &mut Left) -> StepResult<()> {
    if let Some(instance) = instance(rds, run).await?.filter(|instance| is_tagged(run, instance.tag_list())) {
        let arn = instance.db_instance_arn().unwrap_or_default();
        let answer = rds.remove_tags_from_resource().resource_name(arn).tag_keys(Names::TAG).send().await;
        answer.doing(format!("remove the run's tag from instance {}", name_of(run)))?;
    }
    let snapshot = snapshot(rds, run).await?;
    remove_snapshot(rds, run, snapshot.as_ref(), left).await
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Keep(String),
    Wait,
    Unprotect,
    Delete,
}

fn decide(run: &Run, instance: &DbInstance, snapshot: Option<&DbSnapshot>) -> Verdict {
    let keep = |reason: &str| Verdict::Keep(reason.to_owned());
    if instance.db_instance_identifier() == Some(run.source.instance.as_str()) {
        return keep("it is the source");
    }
    if !is_tagged(run, instance.tag_list()) {
        return keep("it does not carry this run's tag");
    }
    if instance.db_instance_status() == Some("deleting") {
        return Verdict::Wait;
    }
    let Some(snapshot) = snapshot.filter(|snapshot| is_tagged(run, snapshot.tag_list())) else {
        return keep("the snapshot that this run would have made it of does not exist");
    };
    // While an instance is being made it has no creation time yet.
    let older = match (instance.instance_create_time(), snapshot.snapshot_create_time()) {
        (Some(instance), Some(snapshot)) => instance < snapshot,
        (Some(_), None) => true,
        (None, _) => false,
    };
    if older {
        return keep("it is older than this run's snapshot");
    }
    if !instance.read_replica_db_instance_identifiers().is_empty() {
        return keep("it has read replicas");
    }
    if instance.deletion_protection() == Some(true) { Verdict::Unprotect } else { Verdict::Delete }
}

/// The copy took the source's deletion protection over.
async fn unprotect(rds: &Client, run: &Run, left: &mut Left) -> StepResult<()> {
    let name = name_of(run);
    let answer = rds.modify_db_instance().db_instance_identifier(name).deletion_protection(false).send().await;
    left.asked(
        &format!("instance {name} loses its deletion protection"),
        answer.doing(format!("take deletion protection off instance {name}")),
    )
}

async fn delete(rds: &Client, run: &Run, left: &mut Left) -> StepResult<()> {
    let name = name_of(run);
    let answer = rds
        .delete_db_instance()
        .db_instance_identifier(name)
        .skip_final_snapshot(true)
        .delete_automated_backups(true)
        .send()
        .await;
    left.asked(&format!("instance {name} is being deleted"), answer.doing(format!("delete instance {name}")))
}

async fn remove_snapshot(rds: &Client, run: &Run, snapshot: Option<&DbSnapshot>, left: &mut Left) -> StepResult<()> {
    let name = run.id.names().snapshot();
    match snapshot {
        None => Ok(()),
        Some(snapshot) if !is_tagged(run, snapshot.tag_list()) => {
            left.kept(format!("snapshot {name}: it does not carry this run's tag"));
            Ok(())
        }
        Some(_ours) => {
            let answer = rds.delete_db_snapshot().db_snapshot_identifier(&name).send().await;
            left.asked(&format!("snapshot {name} is being deleted"), answer.doing(format!("delete snapshot {name}")))
        }
    }
}

/// The instance that the run upgrades to, whoever made it.
pub(crate) async fn instance(rds: &Client, run: &Run) -> StepResult<Option<DbInstance>> {
    let name = name_of(run);
    let answer = rds.describe_db_instances().db_instance_identifier(name).send().await;
    let found = answer.doing(format!("describe instance {name}")).optional()?;
    let instances = found.and_then(|page| page.db_instances).unwrap_or_default();
    // An empty name would describe them all.
    Ok(instances.into_iter().find(|instance| instance.db_instance_identifier() == Some(name)))
}

async fn snapshot(rds: &Client, run: &Run) -> StepResult<Option<DbSnapshot>> {
    let name = run.id.names().snapshot();
    let answer = rds.describe_db_snapshots().db_snapshot_identifier(&name).send().await;
    let found = answer.doing(format!("describe snapshot {name}")).optional()?;
    Ok(found.and_then(|page| page.db_snapshots.unwrap_or_default().into_iter().next()))
}

/// `start-run` fills it in.
fn name_of(run: &Run) -> &str {
    run.target.instance.as_deref().unwrap_or_default()
}

fn is_tagged(run: &Run, tags: &[Tag]) -> bool {
    tags.iter().any(|tag| tag.key() == Some(Names::TAG) && tag.value() == Some(run.id.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_rds::primitives::DateTime;
    use serde_json::json;

    fn a_run() -> Run {
        let run = json!({
            "id": "r", "executionArn": "arn", "mode": "upgrade", "replication": {}, "choices": {}, "limits": {},
            "source": {"instance": "orders", "loginSecret": "s"}, "target": {"version": "18", "instance": "orders-v18"},
            "record": {"zoneId": "Z", "name": "db.example"}
        });
        serde_json::from_value(run).expect("a run")
    }

    fn tag(run: &str) -> Tag {
        Tag::builder().key(Names::TAG).value(run).build()
    }

    fn instance(name: &str, run: &str, created: Option<i64>) -> aws_sdk_rds::types::builders::DbInstanceBuilder {
        DbInstance::builder()
            .db_instance_identifier(name)
            .db_instance_status("available")
            .tag_list(tag(run))
            .set_instance_create_time(created.map(DateTime::from_secs))
    }

    fn snapshot(run: &str, created: i64) -> DbSnapshot {
        DbSnapshot::builder().tag_list(tag(run)).snapshot_create_time(DateTime::from_secs(created)).build()
    }

    #[test]
    fn only_a_target_that_this_run_can_have_made_is_deleted() {
        let ours = || instance("orders-v18", "r", Some(200));
        let cases = [
            ("ours", ours().build(), Some(snapshot("r", 100)), "delete"),
            ("in the making", instance("orders-v18", "r", None).build(), Some(snapshot("r", 100)), "delete"),
            ("protected", ours().deletion_protection(true).build(), Some(snapshot("r", 100)), "unprotect"),
            ("on its way", ours().db_instance_status("deleting").build(), None, "wait"),
            ("of another run", instance("orders-v18", "other", Some(200)).build(), Some(snapshot("r", 100)), "keep"),
            ("untagged", DbInstance::builder().build(), Some(snapshot("r", 100)), "keep"),
            ("no snapshot", ours().build(), None, "keep"),
            ("a snapshot of another run", ours().build(), Some(snapshot("other", 100)), "keep"),
            (
                "older than the snapshot",
                instance("orders-v18", "r", Some(99)).build(),
                Some(snapshot("r", 100)),
                "keep",
            ),
            ("the source", instance("orders", "r", Some(200)).build(), Some(snapshot("r", 100)), "keep"),
            (
                "with replicas",
                ours().read_replica_db_instance_identifiers("x").build(),
                Some(snapshot("r", 100)),
                "keep",
            ),
        ];
        for (case, instance, snapshot, expected) in cases {
            let said = match decide(&a_run(), &instance, snapshot.as_ref()) {
                Verdict::Keep(_) => "keep",
                Verdict::Wait => "wait",
                Verdict::Unprotect => "unprotect",
                Verdict::Delete => "delete",
            };
            assert_eq!(said, expected, "{case}");
        }
    }
}
