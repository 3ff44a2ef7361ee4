//! Configure the source for logical replication, in a parameter group of the run's own, because a change of the user's
//! group would affect every other instance that shares it. A group that already has logical decoding on is used as it
//! is.
//!
//! Changes:      AWS (one parameter group, tagged with the run; the source's association with its group)
//! Repeatable:   yes; a group that already serves is left alone, the run's own is found by its name
//! If it dies:   a group that nobody uses may be left; the next look goes on with it

mod decide;
mod group;

use pgleap_contract::steps::{ConfigureSourceOutput, RunOnly};
use pgleap_rds::{Change, Instance, Rds};
use pgleap_step_kit::prelude::*;

use decide::{Association, Verdict, decide};

/// Look at the source's parameter group; make and attach one that serves if it does not.
pub async fn run(ctx: &Ctx, input: RunOnly) -> StepResult<Polled<ConfigureSourceOutput>> {
    let run = &input.run;
    let rds = Rds::new(ctx);
    let association = Association::of(&describe(&rds, &run.source.instance).await?);
    let own = run.names().source_parameter_group();
    let serves = match &association.group {
        Some(group) if *group == own => group::is_complete(&rds, group).await?,
        Some(group) => group::serves(&rds, group).await?,
        None => false,
    };
    match decide(&association, serves, &own) {
        Verdict::Done { reboot_needed } => Ok(Polled::Done(ConfigureSourceOutput { reboot_needed })),
        Verdict::Wait(reason) => Ok(Polled::Waiting(format!("instance {} {reason}", run.source.instance))),
        Verdict::Fail(ErrorCode::InstanceFailed, reason) => {
            Err(rds.failed(&run.source.instance, "configure instance", &reason).await)
        }
        Verdict::Fail(code, reason) => {
            Err(StepError::new(code, format!("configure instance {}: {reason}", run.source.instance)))
        }
        Verdict::SetValues { group } => {
            let group = group::make(&rds, run, &group).await?;
            Ok(Polled::Waiting(format!("parameter group {group} is taking its new values")))
        }
        Verdict::MakeAndAttach { from } => {
            let group = group::make(&rds, run, &from).await?;
            attach(&rds, &run.source.instance, &group).await
        }
    }
}

async fn describe(rds: &Rds, name: &str) -> StepResult<Instance> {
    rds.instance(name).await?.ok_or_else(|| {
        StepError::new(ErrorCode::InstanceFailed, format!("find source {name}: there is no such instance"))
    })
}

/// Not `at_once`, which would drag along whatever else is pending; a parameter group is associated at once
/// either way, and its values wait for a reboot.
/// Source: Amazon RDS API reference, ModifyDBInstance, DBParameterGroupName.
///
/// AWS asks for five minutes between making a group and creating the first *instance* with it. Nothing is created here,
/// and the reboot comes later, after which prepare-source asks the server itself for the values: so nobody waits.
/// Source: Amazon RDS API reference, CreateDBParameterGroup.
async fn attach(rds: &Rds, instance: &str, group: &str) -> StepResult<Polled<ConfigureSourceOutput>> {
    let change = Change { at_once: false, parameter_group: Some(group.to_owned()), ..Change::default() };
    match rds.modify(instance, change, format!("attach parameter group {group} to instance {instance}")).await {
        Ok(()) => Ok(Polled::Waiting(format!("instance {instance} is taking parameter group {group}"))),
        Err(error) if error.is(Class::WrongState) => {
            Ok(Polled::Waiting(format!("instance {instance}: {}", error.message)))
        }
        Err(error) => Err(error.into()),
    }
}
