//! Upgrade the target: hop by hop to the wanted version, on the copy, then what the load needs and a restore does not take.
//!
//! Changes:      AWS (the target instance, a parameter group for each family on the way)
//! Repeatable:   yes; the version says which hop is next, a hop is noted on the instance before it is asked for, and
//!               each setting is compared with the source's before it is set
//! If it dies:   AWS goes on; the next look sees the version

mod decide;
mod group;
mod refusal;
mod settings;

use aws_sdk_rds::Client;
use aws_sdk_rds::types::DbInstance;
use pgleap_contract::steps::{NoOutput, UpgradeHop, UpgradeTargetInput};
use pgleap_rds::instance;
use pgleap_step_kit::prelude::*;

use decide::{Seen, Verdict, decide};
use refusal::Attempt;

/// Look at the copy and do the next thing.
pub async fn run(ctx: &Ctx, input: UpgradeTargetInput) -> StepResult<Polled<NoOutput>> {
    let run = &input.run;
    let name = instance::target_name(run)?;
    let rds = Client::new(ctx.aws());
    let copy = instance::describe(&rds, name).await?.filter(|copy| instance::is_ours(copy, run)).ok_or_else(|| {
        StepError::new(ErrorCode::InstanceFailed, format!("find target {name}: there is no such instance of this run"))
    })?;
    let last = input.way.hops.last().ok_or_else(|| StepError::bug("the way has no hop"))?;
    let final_group = run.id.names().target_parameter_group(&last.family);
    match decide(&Seen::of(&copy), &input.way, &final_group) {
        Verdict::Wait(reason) => Ok(Polled::Waiting(format!("instance {name} {reason}"))),
        Verdict::Upgrade(hop) => upgrade(&rds, run, &copy, hop, last).await,
        Verdict::Reboot => reboot(&rds, name, &copy).await,
        Verdict::Complete => settings::complete(&rds, run, &copy).await,
        Verdict::Fail(reason) => Err(instance::failed(&rds, name, "upgrade instance", &reason).await),
    }
}

/// Ask for a hop, unless an earlier request for it was refused. Asked twice, it is one upgrade: RDS refuses a change of
/// an instance that is being upgraded, and a version that is reached is not asked for again.
async fn upgrade(
    rds: &Client,
    run: &Run,
    copy: &DbInstance,
    hop: &UpgradeHop,
    last: &UpgradeHop,
) -> StepResult<Polled<NoOutput>> {
    let name = instance::target_name(run)?;
    match Attempt::noted_on(copy, &hop.version) {
        Some(attempt) => attempt.refuse_if_refused(rds, name, copy, hop).await?,
        None => Attempt::note(rds, name, copy, &hop.version).await?,
    }
    let group = group::ensure(rds, run, copy, hop, last).await?;
    let modify = rds
        .modify_db_instance()
        .db_instance_identifier(name)
        .engine_version(&hop.version)
        .allow_major_version_upgrade(true)
        .set_db_parameter_group_name(group)
        .apply_immediately(true);
    let doing = format!("upgrade instance {name} to {}", hop.version);
    match modify.send().await.doing(&doing) {
        Ok(_) => Ok(Polled::Waiting(format!("instance {name} to be upgraded to {}", hop.version))),
        Err(error) if error.is(Class::WrongState) => Ok(not_now(name, copy, &error)),
        Err(error) if error.is(Class::Refused) => Err(StepError::new(ErrorCode::UpgradeRefused, error.to_string())),
        Err(error) => Err(error.into()),
    }
}

async fn reboot(rds: &Client, name: &str, copy: &DbInstance) -> StepResult<Polled<NoOutput>> {
    match rds.reboot_db_instance().db_instance_identifier(name).send().await.doing(format!("reboot instance {name}")) {
        Ok(_) => Ok(Polled::Waiting(format!("instance {name} reboots for its parameters"))),
        Err(error) if error.is(Class::WrongState) => Ok(not_now(name, copy, &error)),
        Err(error) => Err(error.into()),
    }
}

/// An instance that RDS changes later, because it is still at work on its storage for one.
fn not_now(name: &str, copy: &DbInstance, error: &AwsError) -> Polled<NoOutput> {
    Polled::Waiting(format!("instance {name} is {}: {}", instance::status(copy), error.message))
}
