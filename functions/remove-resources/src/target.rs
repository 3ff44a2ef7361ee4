//! The copy and the snapshot that it was made of.
//!
//! Deleting a database is the one thing here that nobody can undo, and a tag is weak proof: a run id may be used again,
//! and then a production database, the target of an earlier run, might carry this run's tag. So the target goes only if
//! this run can have made it and it can never have served:
//! - before a cutover was armed it carries the tag that permits its deletion, the run's own snapshot still exists (it is
//!   deleted after the target, never before), and the instance is younger than that snapshot;
//! - afterwards that tag is gone, and only a rollback that is recorded in the target's own outcome gives it back. Where
//!   the target could not be asked, it is kept, closed, and named.

use aws_sdk_rds::Client;
use aws_sdk_rds::types::{DbInstance, DbSnapshot, Tag};
use pgleap_contract::Run;
use pgleap_mark::{Mark, State};
use pgleap_rds::instance as rds_instance;
use pgleap_step_kit::prelude::*;

use crate::Left;

/// After a rollback: the target, then the snapshot.
pub(crate) async fn remove(rds: &Client, run: &Run, mark: Option<&Mark>, left: &mut Left) -> StepResult<()> {
    let snapshot = snapshot(rds, run).await?;
    if let Some(instance) = instance(rds, run).await? {
        match decide(run, &instance, snapshot.as_ref(), mark.map(|mark| mark.state)) {
            Verdict::Keep(reason) => left.kept(format!("instance {}: {reason}", name_of(run))),
            Verdict::Wait => {
                left.going(format!("instance {} is being deleted", name_of(run)));
                return Ok(());
            }
            Verdict::Permit => return permit(rds, run, &instance, left).await,
            Verdict::Unprotect => return unprotect(rds, run, left).await,
            Verdict::Delete => return delete(rds, run, mark.is_some(), left).await,
        }
    }
    remove_snapshot(rds, run, snapshot.as_ref(), left).await
}

/// After OPEN: what the target was made of.
pub(crate) async fn remove_its_snapshot(rds: &Client, run: &Run, left: &mut Left) -> StepResult<()> {
    let snapshot = snapshot(rds, run).await?;
    remove_snapshot(rds, run, snapshot.as_ref(), left).await
}

/// After OPEN, when all else is done: the target is the applications' now, so it loses the run's tags.
pub(crate) async fn release(rds: &Client, run: &Run) -> StepResult<()> {
    let Some(instance) = instance(rds, run).await?.filter(|instance| rds_instance::is_ours(instance, run)) else {
        return Ok(());
    };
    let arn = arn_of(run, &instance)?;
    let request = rds.remove_tags_from_resource().resource_name(arn).tag_keys(Names::TAG);
    let answer = request.tag_keys(Names::DELETABLE_TAG).send().await;
    answer.doing(format!("remove the run's tags from instance {}", name_of(run)))?;
    Ok(())
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Keep(String),
    Wait,
    Permit,
    Unprotect,
    Delete,
}

fn decide(run: &Run, instance: &DbInstance, snapshot: Option<&DbSnapshot>, mark: Option<State>) -> Verdict {
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
    let may_go = match mark {
        None => made_by_this_run(run, instance, snapshot),
        Some(State::Back { target_holds_back: true }) => Ok(()),
        Some(state) => Err(format!(
            "it is closed to applications, but it could not be asked whether it was ever opened (the mark says {state:?}); \
             look into it before you delete it"
        )),
    };
    if let Err(reason) = may_go {
        return Verdict::Keep(reason);
    }
    if !instance.read_replica_db_instance_identifiers().is_empty() {
        return keep("it has read replicas");
    }
    if !rds_instance::is_deletable(instance, run) {
        return Verdict::Permit;
    }
    if instance.deletion_protection() == Some(true) { Verdict::Unprotect } else { Verdict::Delete }
}

/// No cutover was armed, so the tag that permits the deletion must still be there.
fn made_by_this_run(run: &Run, instance: &DbInstance, snapshot: Option<&DbSnapshot>) -> Result<(), String> {
    let Some(snapshot) = snapshot.filter(|snapshot| is_tagged(run, snapshot.tag_list())) else {
        return Err("the snapshot that this run would have made it of does not exist".to_owned());
    };
    // While an instance is being made it has no creation time yet.
    let older = match (instance.instance_create_time(), snapshot.snapshot_create_time()) {
        (Some(instance), Some(snapshot)) => instance < snapshot,
        (Some(_), None) => true,
        (None, _) => false,
    };
    if older {
        return Err("it is older than this run's snapshot".to_owned());
    }
    if rds_instance::is_deletable(instance, run) {
        Ok(())
    } else {
        Err(format!("it does not carry the tag {}, and no cutover was armed", Names::DELETABLE_TAG))
    }
}

/// The rollback is recorded in the target itself: it can never open.
async fn permit(rds: &Client, run: &Run, instance: &DbInstance, left: &mut Left) -> StepResult<()> {
    let (name, arn) = (name_of(run), arn_of(run, instance)?);
    let answer = rds.add_tags_to_resource().resource_name(arn).tags(rds_instance::deletable_tag(run)).send().await;
    left.asked(
        &format!("instance {name} gets the tag that permits its deletion"),
        answer.doing(format!("tag instance {name} with {}", Names::DELETABLE_TAG)),
    )
}

fn arn_of<'a>(run: &Run, instance: &'a DbInstance) -> StepResult<&'a str> {
    instance.db_instance_arn().ok_or_else(|| StepError::bug(format!("describe instance {}: no ARN", name_of(run))))
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

/// A policy may take minutes to see the tag that was just given back: until then a denial is waited out by the machine's
/// bounded looks.
async fn delete(rds: &Client, run: &Run, was_tagged_anew: bool, left: &mut Left) -> StepResult<()> {
    let name = name_of(run);
    let answer = rds
        .delete_db_instance()
        .db_instance_identifier(name)
        .skip_final_snapshot(true)
        .delete_automated_backups(true)
        .send()
        .await;
    match answer.doing(format!("delete instance {name}")) {
        Err(error) if was_tagged_anew && error.is(Class::Denied) => {
            left.going(format!("the permission to delete instance {name}: {}", error.message));
            Ok(())
        }
        answer => left.asked(&format!("instance {name} is being deleted"), answer),
    }
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
            "id": "r", "executionArn": "arn", "mode": "upgrade", "copy": {}, "choices": {}, "limits": {},
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
            .tag_list(Tag::builder().key(Names::DELETABLE_TAG).value(run).build())
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
            assert_eq!(said(decide(&a_run(), &instance, snapshot.as_ref(), None)), expected, "{case}");
        }
    }

    fn said(verdict: Verdict) -> &'static str {
        match verdict {
            Verdict::Keep(_) => "keep",
            Verdict::Wait => "wait",
            Verdict::Permit => "permit",
            Verdict::Unprotect => "unprotect",
            Verdict::Delete => "delete",
        }
    }

    #[test]
    fn a_target_of_an_armed_cutover_goes_only_where_it_holds_the_rollback_itself() {
        let untagged = || DbInstance::builder().db_instance_identifier("orders-v18").tag_list(tag("r"));
        let holds = |target_holds_back| Some(State::Back { target_holds_back });
        let cases = [
            ("the target says so", holds(true), untagged().build(), "permit"),
            ("permitted again", holds(true), instance("orders-v18", "r", Some(200)).build(), "delete"),
            ("the target was silent", holds(false), instance("orders-v18", "r", Some(200)).build(), "keep"),
            ("undecided", Some(State::Armed), instance("orders-v18", "r", Some(200)).build(), "keep"),
            ("open", Some(State::Open), instance("orders-v18", "r", Some(200)).build(), "keep"),
            ("never armed, and the tag is gone", None, untagged().build(), "keep"),
        ];
        for (case, mark, instance, expected) in cases {
            // With or without a snapshot: an armed cutover needs none.
            assert_eq!(said(decide(&a_run(), &instance, None, mark)), expected, "{case}");
        }
    }
}
