//! Take the snapshot of which the target is made, so that the copy has everything that replication does not carry.
//!
//! Changes:      AWS (one snapshot of the source, tagged with the run)
//! Repeatable:   yes; the snapshot is found by its name, and counts only if it carries the run's and the execution's tag
//! If it dies:   before the call nothing has changed; after it, the next look finds the snapshot

use aws_sdk_rds::Client;
use aws_sdk_rds::types::{DbSnapshot, SourceType};
use pgleap_contract::steps::{NoOutput, RunOnly};
use pgleap_rds::instance;
use pgleap_step_kit::instance_status::{self, Standing};
use pgleap_step_kit::prelude::*;

/// How far back events are read, in minutes.
const A_DAY: i32 = 1_440;

/// Look for the snapshot; ask for it if there is none.
pub async fn run(ctx: &Ctx, input: RunOnly) -> StepResult<Polled<NoOutput>> {
    let run = &input.run;
    let name = run.id.names().snapshot();
    let rds = Client::new(ctx.aws());
    match describe(&rds, &name).await? {
        Some(snapshot) => match judge(run, &snapshot) {
            Verdict::Done => Ok(Polled::Done(NoOutput {})),
            Verdict::Wait(reason) => Ok(Polled::Waiting(format!("snapshot {name} {reason}"))),
            Verdict::Stranger => {
                let reason =
                    format!("take snapshot {name}: the name is taken by a snapshot that this run has not made");
                Err(StepError::new(ErrorCode::InstanceFailed, reason))
            }
            Verdict::Fail(reason) => Err(failed(&rds, &name, &reason).await),
        },
        None => create(&rds, run, &name).await,
    }
}

async fn describe(rds: &Client, name: &str) -> StepResult<Option<DbSnapshot>> {
    let answer = rds.describe_db_snapshots().db_snapshot_identifier(name).send().await;
    let found = answer.doing(format!("describe snapshot {name}")).optional()?;
    Ok(found.and_then(|found| found.db_snapshots.unwrap_or_default().into_iter().next()))
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Done,
    Wait(String),
    Stranger,
    Fail(String),
}

fn judge(run: &Run, snapshot: &DbSnapshot) -> Verdict {
    // One of an earlier execution with the same run id, by a call that arrived after its clean-up, is older than what
    // prepare-source has written into the source.
    let has = |key: &str, value: &str| {
        snapshot.tag_list().iter().any(|tag| tag.key() == Some(key) && tag.value() == Some(value))
    };
    let is_ours = has(Names::TAG, run.id.as_str()) && has(Names::EXECUTION_TAG, &run.execution_arn);
    if !is_ours || snapshot.db_instance_identifier() != Some(run.source.instance.as_str()) {
        return Verdict::Stranger;
    }
    let status = snapshot.status().unwrap_or("creating");
    match instance_status::of_snapshot(status) {
        Standing::Usable => Verdict::Done,
        Standing::Passing => Verdict::Wait(format!("is {status}, {} %", snapshot.percent_progress().unwrap_or(0))),
        Standing::Broken => Verdict::Fail(format!("it is {status}")),
    }
}

/// With RDS's own words: what happened to the snapshot.
async fn failed(rds: &Client, name: &str, reason: &str) -> StepError {
    let events =
        rds.describe_events().source_type(SourceType::DbSnapshot).source_identifier(name).duration(A_DAY).send().await;
    let said = match events.doing(format!("describe events of snapshot {name}")) {
        Ok(answer) => instance::text_of(answer.events()),
        Err(error) => format!("its events cannot be read: {error}"),
    };
    StepError::new(ErrorCode::InstanceFailed, format!("take snapshot {name}: {reason}; events: {said}"))
}

async fn create(rds: &Client, run: &Run, name: &str) -> StepResult<Polled<NoOutput>> {
    let answer = rds
        .create_db_snapshot()
        .db_instance_identifier(&run.source.instance)
        .db_snapshot_identifier(name)
        .set_tags(Some(instance::tags_of_source(run)))
        .send()
        .await;
    match answer.doing(format!("take snapshot {name} of {}", run.source.instance)) {
        Ok(_) => Ok(Polled::Waiting(format!("snapshot {name} begins"))),
        // The instance is being backed up or changed, or the answer of an earlier call was lost.
        Err(error) if error.is(Class::WrongState) || error.is(Class::AlreadyThere) => {
            Ok(Polled::Waiting(format!("snapshot {name}: {}", error.message)))
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_rds::types::Tag;
    use serde_json::json;

    fn a_run() -> Run {
        serde_json::from_value(json!({
            "id": "r", "executionArn": "arn", "mode": "upgrade", "copy": {}, "choices": {}, "limits": {},
            "source": {"instance": "orders", "loginSecret": "s"}, "target": {"version": "18", "instance": "orders-v18"},
            "record": {"zoneId": "Z", "name": "db.example"}
        }))
        .expect("a run")
    }

    fn snapshot_of(status: &str, run: &str, execution: &str, instance: &str) -> DbSnapshot {
        let tag = |key: &str, value: &str| Tag::builder().key(key).value(value).build();
        let snapshot = DbSnapshot::builder().status(status).db_instance_identifier(instance);
        snapshot.tag_list(tag(Names::TAG, run)).tag_list(tag(Names::EXECUTION_TAG, execution)).build()
    }

    fn snapshot(status: &str, run: &str, instance: &str) -> DbSnapshot {
        snapshot_of(status, run, "arn", instance)
    }

    #[test]
    fn only_a_finished_snapshot_of_this_execution_will_do() {
        let cases = [
            (snapshot("available", "r", "orders"), Verdict::Done),
            (snapshot("creating", "r", "orders"), Verdict::Wait("is creating, 0 %".to_owned())),
            (snapshot("failed", "r", "orders"), Verdict::Fail("it is failed".to_owned())),
            (snapshot("available", "other", "orders"), Verdict::Stranger),
            (snapshot("available", "r", "invoices"), Verdict::Stranger),
            (snapshot_of("available", "r", "another", "orders"), Verdict::Stranger),
        ];
        for (snapshot, verdict) in cases {
            assert_eq!(judge(&a_run(), &snapshot), verdict, "{snapshot:?}");
        }
    }
}
