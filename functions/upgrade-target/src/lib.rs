//! Upgrade the target: bring the copy hop by hop to the requested version, and then apply the settings that the load
//! needs and a restore does not accept.
//!
//! Changes:      AWS (the target instance, a parameter group for each family on the way)
//! Repeatable:   yes; the version says which hop is next, a hop is noted on the instance before it is asked for, and
//!               each setting is compared with the source's before it is set
//! If it dies:   AWS goes on; the next look sees the version

mod decide;
mod fail_back;
mod group;
mod refusal;
mod settings;

use pgleap_contract::steps::{NoOutput, UpgradeHop, UpgradeTargetInput};
use pgleap_rds::{Change, Instance, Rds, instance};
use pgleap_step_kit::prelude::*;

use decide::{Seen, Verdict, decide};
use refusal::Attempt;

/// Look at the copy and do the next thing.
pub async fn run(ctx: &Ctx, input: UpgradeTargetInput) -> StepResult<Polled<NoOutput>> {
    let run = &input.run;
    let name = instance::target_name(run)?;
    let rds = Rds::new(ctx);
    let copy = rds.instance(name).await?.filter(|copy| copy.is_ours(run)).ok_or_else(|| {
        StepError::new(ErrorCode::InstanceFailed, format!("find target {name}: there is no such instance of this run"))
    })?;
    let last = input.way.hops.last().ok_or_else(|| StepError::bug("the upgrade path has no step"))?;
    let final_group = run.names().target_parameter_group(&last.family);
    match decide(&Seen::of(&copy), &input.way, &final_group) {
        Verdict::Wait(reason) => Ok(Polled::Waiting(format!("instance {name} {reason}"))),
        Verdict::Upgrade(hop) => upgrade(&rds, run, &copy, hop, last).await,
        Verdict::Reboot => reboot(&rds, name, &copy).await,
        Verdict::Complete => settings::complete(&rds, run, &copy).await,
        Verdict::Fail(reason) => Err(rds.failed(name, "upgrade instance", &reason).await),
    }
}

/// Ask for a hop, unless an earlier request for it was refused. Asked twice, it is one upgrade: RDS refuses a change of
/// an instance that is being upgraded, and a version that is reached is not asked for again.
async fn upgrade(
    rds: &Rds,
    run: &Run,
    copy: &Instance,
    hop: &UpgradeHop,
    last: &UpgradeHop,
) -> StepResult<Polled<NoOutput>> {
    let name = instance::target_name(run)?;
    match Attempt::noted_on(copy, &hop.version) {
        Some(attempt) => attempt.refuse_if_refused(rds, name, copy, hop).await?,
        None => Attempt::note(rds, name, copy, &hop.version).await?,
    }
    let change = Change {
        at_once: true,
        engine_version: Some(hop.version.clone()),
        parameter_group: group::ensure(rds, run, copy, hop, last).await?,
        ..Change::default()
    };
    match rds.modify(name, change, format!("upgrade instance {name} to {}", hop.version)).await {
        Ok(()) => Ok(Polled::Waiting(format!("instance {name} is being upgraded to {}", hop.version))),
        Err(error) if error.is(Class::WrongState) => Ok(not_now(name, copy, &error)),
        Err(error) if error.is(Class::Refused) => Err(StepError::new(ErrorCode::UpgradeRefused, error.to_string())),
        Err(error) => Err(error.into()),
    }
}

async fn reboot(rds: &Rds, name: &str, copy: &Instance) -> StepResult<Polled<NoOutput>> {
    match rds.reboot(name).await {
        Ok(()) => Ok(Polled::Waiting(format!("instance {name} is rebooting to apply its parameters"))),
        Err(error) if error.is(Class::WrongState) => Ok(not_now(name, copy, &error)),
        Err(error) => Err(error.into()),
    }
}

/// An instance that RDS changes later, because it is still at work on its storage for one.
fn not_now(name: &str, copy: &Instance, error: &AwsError) -> Polled<NoOutput> {
    Polled::Waiting(format!("instance {name} is {}: {}", copy.status_text(), error.message))
}
