//! Take the snapshot from which the target is created, so that the copy has everything that replication does not carry.
//!
//! Changes:      AWS (one snapshot of the source, tagged with the run)
//! Repeatable:   yes; the snapshot is found by its name, and counts only if it carries the run's and the execution's tag
//! If it dies:   before the call nothing has changed; after it, the next look finds the snapshot

use pgleap_contract::steps::{NoOutput, RunOnly};
use pgleap_rds::{Rds, Snapshot};
use pgleap_step_kit::instance_status::{self, Standing};
use pgleap_step_kit::prelude::*;

/// Look for the snapshot; ask for it if there is none.
pub async fn run(ctx: &Ctx, input: RunOnly) -> StepResult<Polled<NoOutput>> {
    let run = &input.run;
    let name = run.names().snapshot();
    let rds = Rds::new(ctx);
    match rds.snapshot(&name).await? {
        Some(snapshot) => match judge(run, &snapshot) {
            Verdict::Done => Ok(Polled::Done(NoOutput {})),
            Verdict::Wait(reason) => Ok(Polled::Waiting(format!("snapshot {name} {reason}"))),
            Verdict::Stranger => {
                let reason =
                    format!("take snapshot {name}: a snapshot of this name exists, and this run did not create it");
                Err(StepError::new(ErrorCode::InstanceFailed, reason))
            }
            Verdict::Fail(reason) => Err(rds.failed_snapshot(&name, "take snapshot", &reason).await),
        },
        None => create(&rds, run, &name).await,
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Done,
    Wait(String),
    Stranger,
    Fail(String),
}

fn judge(run: &Run, snapshot: &Snapshot) -> Verdict {
    // One of an earlier execution with the same run id, by a call that arrived after its clean-up, is older than what
    // prepare-source has written into the source.
    let is_of_execution = snapshot.tags.get(Names::EXECUTION_TAG) == Some(&run.execution_arn);
    if !snapshot.is_ours(run) || !is_of_execution || snapshot.instance != run.source.instance {
        return Verdict::Stranger;
    }
    let status = &snapshot.status;
    match instance_status::of_snapshot(status) {
        Standing::Usable => Verdict::Done,
        Standing::Passing => Verdict::Wait(format!("is {status}, {} %", snapshot.percent)),
        Standing::Broken => Verdict::Fail(format!("it is {status}")),
    }
}

async fn create(rds: &Rds, run: &Run, name: &str) -> StepResult<Polled<NoOutput>> {
    match rds.take_snapshot(run, name).await {
        Ok(()) => Ok(Polled::Waiting(format!("snapshot {name} is starting"))),
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
    use pgleap_rds::Tags;
    use serde_json::json;

    fn a_run() -> Run {
        serde_json::from_value(json!({
            "id": "r", "executionArn": "arn", "mode": "upgrade", "copy": {}, "choices": {}, "limits": {},
            "source": {"instance": "orders", "loginSecret": "s"}, "target": {"version": "18", "instance": "orders-v18"},
            "record": {"zoneId": "Z", "name": "db.example"}
        }))
        .expect("a run")
    }

    fn snapshot_of(status: &str, run: &str, execution: &str, instance: &str) -> Snapshot {
        let tags = [(Names::TAG, run), (Names::EXECUTION_TAG, execution)];
        Snapshot {
            status: status.to_owned(),
            instance: instance.to_owned(),
            tags: tags.map(|(key, value)| (key.to_owned(), value.to_owned())).into_iter().collect::<Tags>(),
            ..Snapshot::default()
        }
    }

    fn snapshot(status: &str, run: &str, instance: &str) -> Snapshot {
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
