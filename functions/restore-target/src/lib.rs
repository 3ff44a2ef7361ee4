//! Restore the target: create a copy of the source from the snapshot, in the source's version, with parameters that
//! keep its scheduled jobs and its subscriptions from running.
//!
//! Changes:      AWS (one parameter group and one instance, tagged with the run)
//! Repeatable:   yes; group and instance are found by their names, and count only if they carry the run's tag
//! If it dies:   AWS goes on; the next look sees the instance

use pgleap_contract::steps::{RestoreTargetInput, RestoreTargetOutput};
use pgleap_rds::{Instance, Rds, instance, quiet};
use pgleap_step_kit::instance_status::{self, Standing};
use pgleap_step_kit::prelude::*;

/// Look for the copy; ask for it if there is none.
pub async fn run(ctx: &Ctx, input: RestoreTargetInput) -> StepResult<Polled<RestoreTargetOutput>> {
    let run = &input.run;
    let name = instance::target_name(run)?;
    let rds = Rds::new(ctx);
    let Some(copy) = rds.instance(name).await? else {
        return Ok(Polled::Waiting(restore(&rds, run, name).await?));
    };
    match decide(&copy, run) {
        Verdict::Done => match copy.server(&input.source.database) {
            Some(target) => Ok(Polled::Done(RestoreTargetOutput { target })),
            None => Ok(Polled::Waiting(format!("instance {name} does not have an endpoint yet"))),
        },
        Verdict::Wait(reason) => Ok(Polled::Waiting(format!("instance {name} {reason}"))),
        Verdict::Reboot => Ok(Polled::Waiting(reboot(&rds, name, &copy).await?)),
        Verdict::Fail(reason) => Err(rds.failed(name, "restore instance", &reason).await),
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Done,
    Wait(String),
    Reboot,
    Fail(String),
}

fn decide(copy: &Instance, run: &Run) -> Verdict {
    if !copy.is_ours(run) {
        return Verdict::Fail("an instance of this name exists, and this run did not create it".to_owned());
    }
    let status = &copy.status;
    match instance_status::of_instance(status) {
        Standing::Broken => return Verdict::Fail(format!("it is {status}")),
        Standing::Passing => return Verdict::Wait(format!("is {}", copy.status_text())),
        Standing::Usable => (),
    }
    // The first start may come before the group is known everywhere: then the quiet values wait for a reboot.
    match copy.parameters() {
        "in-sync" => Verdict::Done,
        "pending-reboot" => Verdict::Reboot,
        "failed-to-apply" => Verdict::Fail("its parameters could not be applied".to_owned()),
        other => Verdict::Wait(format!("is {status}, and its parameters are {other}")),
    }
}

async fn restore(rds: &Rds, run: &Run, name: &str) -> StepResult<String> {
    let source = rds.instance(&run.source.instance).await?.ok_or_else(|| {
        StepError::new(
            ErrorCode::InstanceFailed,
            format!("find source {}: there is no such instance", run.source.instance),
        )
    })?;
    let group = make_quiet_group(rds, run, &source).await?;
    match rds.restore(run, &source, name, &group).await {
        Ok(()) => Ok(format!("instance {name} is being restored")),
        // The answer of an earlier call was lost, or the snapshot is still being used.
        Err(error) if error.is(Class::AlreadyThere) || error.is(Class::WrongState) => {
            Ok(format!("instance {name}: {}", error.message))
        }
        Err(error) if error.is(Class::Refused) => Err(StepError::new(ErrorCode::InstanceFailed, error.to_string())),
        Err(error) => Err(error.into()),
    }
}

/// The source's values, and on top of them those that keep the copy still. Logical decoding stays as it is: a copy with
/// a slot does not start without it.
/// Source: observed on PostgreSQL 15: "logical replication slot .. exists, but wal_level < logical".
async fn make_quiet_group(rds: &Rds, run: &Run, source: &Instance) -> StepResult<String> {
    let attached = source.group_name().unwrap_or_default();
    let family = rds.group(attached).await?.map(|group| group.family).unwrap_or_default();
    let mut values = rds.values_of(attached).await?;
    quiet::add_static(&mut values);
    if quiet::loads_cron(&values) {
        let known = rds.known(&family).await?;
        quiet::add_jobs_off(&mut values, |name| known.contains_key(name))
            .map_err(|reason| StepError::new(ErrorCode::InstanceFailed, format!("stop the copy's jobs: {reason}")))?;
    }
    let name = run.names().quiet_parameter_group();
    rds.ensure_group(run, &name, &family, &values).await?;
    Ok(name)
}

/// Whether RDS reboots an instance that is still at work on its storage, it says itself.
async fn reboot(rds: &Rds, name: &str, copy: &Instance) -> StepResult<String> {
    match rds.reboot(name).await {
        Ok(()) => Ok(format!("instance {name} is rebooting to apply its parameters")),
        Err(error) if error.is(Class::WrongState) => {
            Ok(format!("instance {name} is {}: {}", copy.status_text(), error.message))
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pgleap_rds::{AttachedGroup, Tags};

    #[test]
    fn the_copy_is_there_when_it_is_ours_usable_and_quiet() {
        let run: Run = serde_json::from_value(serde_json::json!({
            "id": "r", "executionArn": "arn", "mode": "upgrade", "copy": {}, "choices": {}, "limits": {},
            "source": {"instance": "orders", "loginSecret": "s"}, "target": {"version": "18", "instance": "orders-v18"},
            "record": {"zoneId": "Z", "name": "db.example"}
        }))
        .expect("a run");
        let wait = |reason: &str| Verdict::Wait(reason.to_owned());
        let fail = |reason: &str| Verdict::Fail(reason.to_owned());
        let cases = [
            ("r", "available", "in-sync", Verdict::Done),
            ("r", "creating", "in-sync", wait("is creating")),
            ("r", "storage-initialization", "in-sync", Verdict::Done),
            ("r", "available", "pending-reboot", Verdict::Reboot),
            ("r", "storage-initialization", "pending-reboot", Verdict::Reboot),
            ("r", "available", "applying", wait("is available, and its parameters are applying")),
            ("r", "restore-error", "in-sync", fail("it is restore-error")),
            ("r", "available", "failed-to-apply", fail("its parameters could not be applied")),
            ("other", "available", "in-sync", fail("an instance of this name exists, and this run did not create it")),
        ];
        for (owner, status, parameters, verdict) in cases {
            let copy = Instance {
                status: status.to_owned(),
                tags: Tags::from([(Names::TAG.to_owned(), owner.to_owned())]),
                parameter_group: Some(AttachedGroup { name: "quiet".to_owned(), status: parameters.to_owned() }),
                ..Instance::default()
            };

            assert_eq!(decide(&copy, &run), verdict, "{owner}, {status}, {parameters}");
        }
    }
}
