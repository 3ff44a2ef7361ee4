//! The copy and the snapshot that it was made of.
//!
//! Deleting a database is the one thing here that nobody can undo, and a tag is weak proof: a run id may be used again,
//! and then a production database, the target of an earlier run, might carry this run's tag. So the target goes only if
//! this run can have made it and it can never have served:
//! - before a cutover was armed it carries the tag that permits its deletion, the run's own snapshot still exists (it is
//!   deleted after the target, never before), and the instance is younger than that snapshot;
//! - afterwards that tag is gone, and only a rollback that is recorded in the target's own outcome gives it back. Where
//!   the target could not be asked, it is kept, closed, and named.

use pgleap_contract::Run;
use pgleap_mark::{Mark, State};
use pgleap_rds::{Change, Instance, Rds, Snapshot};
use pgleap_step_kit::prelude::*;

use crate::Left;

/// After a rollback: the target, then the snapshot.
pub(crate) async fn remove(rds: &Rds, run: &Run, mark: Option<&Mark>, left: &mut Left) -> StepResult<()> {
    let snapshot = rds.snapshot(&run.names().snapshot()).await?;
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
pub(crate) async fn remove_its_snapshot(rds: &Rds, run: &Run, left: &mut Left) -> StepResult<()> {
    let snapshot = rds.snapshot(&run.names().snapshot()).await?;
    remove_snapshot(rds, run, snapshot.as_ref(), left).await
}

/// After OPEN, when all else is done: the target is the applications' now, so it loses the run's tags.
pub(crate) async fn release(rds: &Rds, run: &Run) -> StepResult<()> {
    let Some(instance) = instance(rds, run).await?.filter(|instance| instance.is_ours(run)) else {
        return Ok(());
    };
    let doing = format!("remove the run's tags from instance {}", name_of(run));
    Ok(rds.remove_tags(instance.arn()?, &[Names::TAG, Names::DELETABLE_TAG], doing).await?)
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Keep(String),
    Wait,
    Permit,
    Unprotect,
    Delete,
}

fn decide(run: &Run, instance: &Instance, snapshot: Option<&Snapshot>, mark: Option<State>) -> Verdict {
    let keep = |reason: &str| Verdict::Keep(reason.to_owned());
    if instance.name == run.source.instance {
        return keep("it is the source");
    }
    if !instance.is_ours(run) {
        return keep("it does not have this run's tag");
    }
    if instance.status == "deleting" {
        return Verdict::Wait;
    }
    let may_go = match mark {
        None => made_by_this_run(run, instance, snapshot),
        Some(State::Back { target_holds_back: true }) => Ok(()),
        Some(state) => Err(format!(
            "it is closed to applications, but it could not be asked whether it was ever opened (the mark says \
             {state:?}); check its contents before you delete it"
        )),
    };
    if let Err(reason) = may_go {
        return Verdict::Keep(reason);
    }
    if !instance.replicas.is_empty() {
        return keep("it has read replicas");
    }
    if !instance.is_deletable(run) {
        return Verdict::Permit;
    }
    if instance.deletion_protection { Verdict::Unprotect } else { Verdict::Delete }
}

/// No cutover was armed, so the tag that permits the deletion must still be there.
fn made_by_this_run(run: &Run, instance: &Instance, snapshot: Option<&Snapshot>) -> Result<(), String> {
    let Some(snapshot) = snapshot.filter(|snapshot| snapshot.is_ours(run)) else {
        return Err("the snapshot from which this run would have created it does not exist".to_owned());
    };
    // While an instance is being made it has no creation time yet.
    let older = match (instance.created, snapshot.created) {
        (Some(instance), Some(snapshot)) => instance < snapshot,
        (Some(_), None) => true,
        (None, _) => false,
    };
    if older {
        return Err("it is older than this run's snapshot".to_owned());
    }
    if instance.is_deletable(run) {
        Ok(())
    } else {
        Err(format!("it does not have the tag {}, and no cutover was armed", Names::DELETABLE_TAG))
    }
}

/// The rollback is recorded in the target itself: it can never open.
async fn permit(rds: &Rds, run: &Run, instance: &Instance, left: &mut Left) -> StepResult<()> {
    let name = name_of(run);
    let doing = format!("tag instance {name} with {}", Names::DELETABLE_TAG);
    let answer = rds.add_tag(instance.arn()?, Names::DELETABLE_TAG, run.id.as_str(), doing).await;
    left.asked(&format!("instance {name} is getting the tag that permits its deletion"), answer)
}

/// The copy took the source's deletion protection over.
async fn unprotect(rds: &Rds, run: &Run, left: &mut Left) -> StepResult<()> {
    let name = name_of(run);
    let change = Change { deletion_protection: Some(false), ..Change::default() };
    let answer = rds.modify(name, change, format!("disable the deletion protection of instance {name}")).await;
    left.asked(&format!("the deletion protection of instance {name} is being disabled"), answer)
}

/// A policy may take minutes to see the tag that was just given back: until then a denial is waited out by the machine's
/// bounded looks.
async fn delete(rds: &Rds, run: &Run, was_tagged_anew: bool, left: &mut Left) -> StepResult<()> {
    let name = name_of(run);
    match rds.delete_instance(name).await {
        Err(error) if was_tagged_anew && error.is(Class::Denied) => {
            left.going(format!("the permission to delete instance {name} is not effective yet: {}", error.message));
            Ok(())
        }
        answer => left.asked(&format!("instance {name} is being deleted"), answer),
    }
}

async fn remove_snapshot(rds: &Rds, run: &Run, snapshot: Option<&Snapshot>, left: &mut Left) -> StepResult<()> {
    let name = run.names().snapshot();
    match snapshot {
        None => Ok(()),
        Some(snapshot) if !snapshot.is_ours(run) => {
            left.kept(format!("snapshot {name}: it does not have this run's tag"));
            Ok(())
        }
        Some(_ours) => {
            let answer = rds.delete_snapshot(&name).await;
            left.asked(&format!("snapshot {name} is being deleted"), answer)
        }
    }
}

/// The instance that the run upgrades to, whoever made it.
pub(crate) async fn instance(rds: &Rds, run: &Run) -> StepResult<Option<Instance>> {
    let name = name_of(run);
    // An empty name would describe them all.
    Ok(rds.instance(name).await?.filter(|instance| instance.name == name))
}

/// `start-run` fills it in.
fn name_of(run: &Run) -> &str {
    run.target.instance.as_deref().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use pgleap_rds::Tags;
    use serde_json::json;

    fn a_run() -> Run {
        let run = json!({
            "id": "r", "executionArn": "arn", "mode": "upgrade", "copy": {}, "choices": {}, "limits": {},
            "source": {"instance": "orders", "loginSecret": "s"}, "target": {"version": "18", "instance": "orders-v18"},
            "record": {"zoneId": "Z", "name": "db.example"}
        });
        serde_json::from_value(run).expect("a run")
    }

    fn tags(keys: &[&str], run: &str) -> Tags {
        keys.iter().map(|key| ((*key).to_owned(), run.to_owned())).collect()
    }

    fn instance(name: &str, run: &str, created: Option<i64>) -> Instance {
        Instance {
            name: name.to_owned(),
            status: "available".to_owned(),
            tags: tags(&[Names::TAG, Names::DELETABLE_TAG], run),
            created,
            ..Instance::default()
        }
    }

    fn snapshot(run: &str, created: i64) -> Snapshot {
        Snapshot { tags: tags(&[Names::TAG], run), created: Some(created), ..Snapshot::default() }
    }

    #[test]
    fn only_a_target_that_this_run_can_have_made_is_deleted() {
        let ours = || instance("orders-v18", "r", Some(200));
        let cases = [
            ("ours", ours(), Some(snapshot("r", 100)), "delete"),
            ("in the making", instance("orders-v18", "r", None), Some(snapshot("r", 100)), "delete"),
            ("protected", Instance { deletion_protection: true, ..ours() }, Some(snapshot("r", 100)), "unprotect"),
            ("on its way", Instance { status: "deleting".to_owned(), ..ours() }, None, "wait"),
            ("of another run", instance("orders-v18", "other", Some(200)), Some(snapshot("r", 100)), "keep"),
            ("untagged", Instance::default(), Some(snapshot("r", 100)), "keep"),
            ("no snapshot", ours(), None, "keep"),
            ("a snapshot of another run", ours(), Some(snapshot("other", 100)), "keep"),
            ("older than the snapshot", instance("orders-v18", "r", Some(99)), Some(snapshot("r", 100)), "keep"),
            ("the source", instance("orders", "r", Some(200)), Some(snapshot("r", 100)), "keep"),
            ("with replicas", Instance { replicas: vec!["x".to_owned()], ..ours() }, Some(snapshot("r", 100)), "keep"),
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
        let untagged =
            || Instance { name: "orders-v18".to_owned(), tags: tags(&[Names::TAG], "r"), ..Instance::default() };
        let holds = |target_holds_back| Some(State::Back { target_holds_back });
        let cases = [
            ("the target says so", holds(true), untagged(), "permit"),
            ("permitted again", holds(true), instance("orders-v18", "r", Some(200)), "delete"),
            ("the target was silent", holds(false), instance("orders-v18", "r", Some(200)), "keep"),
            ("undecided", Some(State::Armed), instance("orders-v18", "r", Some(200)), "keep"),
            ("open", Some(State::Open), instance("orders-v18", "r", Some(200)), "keep"),
            ("never armed, and the tag is gone", None, untagged(), "keep"),
        ];
        for (case, mark, instance, expected) in cases {
            // With or without a snapshot: an armed cutover needs none.
            assert_eq!(said(decide(&a_run(), &instance, None, mark)), expected, "{case}");
        }
    }
}
