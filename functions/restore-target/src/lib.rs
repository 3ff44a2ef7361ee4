//! Restore the target: a copy of the source from its snapshot, in the source's version, under parameters that keep its
//! scheduled jobs and its subscriptions still.
//!
//! Changes:      AWS (one parameter group and one instance, tagged with the run)
//! Repeatable:   yes; group and instance are found by their names, and count only if they carry the run's tag
//! If it dies:   AWS goes on; the next look sees the instance

mod request;

use aws_sdk_rds::Client;
use aws_sdk_rds::types::DbInstance;
use pgleap_contract::steps::{RestoreTargetInput, RestoreTargetOutput};
use pgleap_rds::parameter_group::{self, Values};
use pgleap_rds::{instance, quiet};
use pgleap_step_kit::instance_status::{self, Standing};
use pgleap_step_kit::prelude::*;

/// Look for the copy; ask for it if there is none.
pub async fn run(ctx: &Ctx, input: RestoreTargetInput) -> StepResult<Polled<RestoreTargetOutput>> {
    let run = &input.run;
    let name = instance::target_name(run)?;
    let rds = Client::new(ctx.aws());
    let Some(copy) = instance::describe(&rds, name).await? else {
        return Ok(Polled::Waiting(restore(&rds, run, name).await?));
    };
    match decide(&copy, run) {
        Verdict::Done => match instance::server(&copy, &input.source.database) {
            Some(target) => Ok(Polled::Done(RestoreTargetOutput { target })),
            None => Ok(Polled::Waiting(format!("instance {name} to have an endpoint"))),
        },
        Verdict::Wait(reason) => Ok(Polled::Waiting(format!("instance {name} {reason}"))),
        Verdict::Reboot => Ok(Polled::Waiting(reboot(&rds, name, &copy).await?)),
        Verdict::Fail(reason) => Err(instance::failed(&rds, name, "restore instance", &reason).await),
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Done,
    Wait(String),
    Reboot,
    Fail(String),
}

fn decide(copy: &DbInstance, run: &Run) -> Verdict {
    if !instance::is_ours(copy, run) {
        return Verdict::Fail("the name is taken by an instance that this run has not made".to_owned());
    }
    let status = copy.db_instance_status().unwrap_or("unknown");
    match instance_status::of_instance(status) {
        Standing::Broken => return Verdict::Fail(format!("it is {status}")),
        Standing::Passing => return Verdict::Wait(format!("is {}", instance::status(copy))),
        Standing::Usable => (),
    }
    // The first start may come before the group is known everywhere: then the quiet values wait for a reboot.
    match copy.db_parameter_groups().first().and_then(|group| group.parameter_apply_status()) {
        Some("in-sync") => Verdict::Done,
        Some("pending-reboot") => Verdict::Reboot,
        Some("failed-to-apply") => Verdict::Fail("its parameters could not be applied".to_owned()),
        other => Verdict::Wait(format!("is {status}, parameters are {}", other.unwrap_or("unknown"))),
    }
}

async fn restore(rds: &Client, run: &Run, name: &str) -> StepResult<String> {
    let source = instance::describe(rds, &run.source.instance).await?.ok_or_else(|| {
        StepError::new(
            ErrorCode::InstanceFailed,
            format!("find source {}: there is no such instance", run.source.instance),
        )
    })?;
    let group = make_quiet_group(rds, run, &source).await?;
    match request::restore(rds, run, &source, name, &group).send().await.doing(format!("restore instance {name}")) {
        Ok(_) => Ok(format!("instance {name} to be restored")),
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
async fn make_quiet_group(rds: &Client, run: &Run, source: &DbInstance) -> StepResult<String> {
    let attached =
        source.db_parameter_groups().first().and_then(|group| group.db_parameter_group_name()).unwrap_or_default();
    let model = parameter_group::describe(rds, attached).await?;
    let family = model.as_ref().and_then(|group| group.db_parameter_group_family()).unwrap_or_default();
    let mut values: Values = parameter_group::values_of(rds, attached).await?;
    quiet::add_static(&mut values);
    if quiet::loads_cron(&values) {
        let known = parameter_group::known(rds, family).await?;
        quiet::add_jobs_off(&mut values, |name| known.contains_key(name))
            .map_err(|reason| StepError::new(ErrorCode::InstanceFailed, format!("keep the copy still: {reason}")))?;
    }
    let name = run.id.names().quiet_parameter_group();
    parameter_group::ensure(rds, run, &name, family, &values).await?;
    Ok(name)
}

/// Whether RDS reboots an instance that is still at work on its storage, it says itself.
async fn reboot(rds: &Client, name: &str, copy: &DbInstance) -> StepResult<String> {
    match rds.reboot_db_instance().db_instance_identifier(name).send().await.doing(format!("reboot instance {name}")) {
        Ok(_) => Ok(format!("instance {name} reboots for its parameters")),
        Err(error) if error.is(Class::WrongState) => {
            Ok(format!("instance {name} is {}: {}", instance::status(copy), error.message))
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_rds::types::{DbParameterGroupStatus, Tag};

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
            ("r", "available", "applying", wait("is available, parameters are applying")),
            ("r", "restore-error", "in-sync", fail("it is restore-error")),
            ("r", "available", "failed-to-apply", fail("its parameters could not be applied")),
            ("other", "available", "in-sync", fail("the name is taken by an instance that this run has not made")),
        ];
        for (owner, status, parameters, verdict) in cases {
            let copy = DbInstance::builder()
                .db_instance_status(status)
                .tag_list(Tag::builder().key(Names::TAG).value(owner).build())
                .db_parameter_groups(DbParameterGroupStatus::builder().parameter_apply_status(parameters).build())
                .build();

            assert_eq!(decide(&copy, &run), verdict, "{owner}, {status}, {parameters}");
        }
    }
}
