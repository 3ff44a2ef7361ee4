//! Protect the target like the source: first set up a standby and backups, without which no cutover begins, and then
//! the other settings for protection and monitoring.
//!
//! None of it helps a load, and much of it slows one down: a standby doubles every write, and the first backup of a restored
//! volume takes hours. So it is asked for when the load is over, not waited for until the copy has been compared, and the backup
//! is then one of the data that will serve.
//! Source: AWS DMS user guide, "Best practices", "Turn off backups and transaction logging"; how long
//! such a backup takes: hashicorp/terraform-provider-aws issue 44104.
//!
//! Changes:      AWS (the target instance)
//! Repeatable:   yes; each setting is compared with the source's before it is set
//! If it dies:   AWS goes on; the next look sees the settings

mod decide;
mod others;

use pgleap_contract::steps::{ProtectPart, ProtectTargetInput, ProtectTargetOutput};
use pgleap_rds::{Change, Instance, Rds, instance};
use pgleap_step_kit::prelude::*;

use decide::{Protection, Verdict, decide};

/// Look at the target and do the next thing.
pub async fn run(ctx: &Ctx, input: ProtectTargetInput) -> StepResult<Polled<ProtectTargetOutput>> {
    let run = &input.run;
    let name = instance::target_name(run)?;
    let rds = Rds::new(ctx);
    let source = find(&rds, "source", &run.source.instance).await?;
    let target = find(&rds, "target", name).await?;
    if !target.is_ours(run) {
        return Err(StepError::new(
            ErrorCode::InstanceFailed,
            format!("protect {name}: it is not an instance of this run"),
        ));
    }
    let nothing_unset = Polled::Done(ProtectTargetOutput { unset: Vec::new() });
    match (decide(&source, &target), input.part) {
        (Verdict::Fail(reason), _) => Err(rds.failed(name, "protect instance", &reason).await),
        (Verdict::Wait(_), ProtectPart::Begin) => Ok(nothing_unset),
        (Verdict::Wait(reason), _) => Ok(Polled::Waiting(format!("instance {name} {reason}"))),
        (Verdict::Protect(wanted), part) => {
            let waits = protect(&rds, name, &target, &wanted).await?;
            Ok(if part == ProtectPart::Begin { nothing_unset } else { Polled::Waiting(waits) })
        }
        (Verdict::Protected, ProtectPart::Finish) => others::set(&rds, run, name, &source, &target).await,
        (Verdict::Protected, _) => Ok(nothing_unset),
    }
}

async fn find(rds: &Rds, side: &str, name: &str) -> StepResult<Instance> {
    rds.instance(name).await?.ok_or_else(|| {
        StepError::new(ErrorCode::InstanceFailed, format!("find {side} {name}: there is no such instance"))
    })
}

/// Both in one request: RDS makes the standby and then backs up, and neither waits for another look of ours.
async fn protect(rds: &Rds, name: &str, target: &Instance, wanted: &[Protection]) -> StepResult<String> {
    let mut change = Change { at_once: true, ..Change::default() };
    for wanted in wanted {
        match wanted {
            Protection::MultiAz(on) => change.multi_az = Some(*on),
            Protection::BackupDays(days) => change.backup_days = Some(*days),
        }
    }
    match rds.modify(name, change, format!("set {wanted:?} of instance {name}")).await {
        Ok(()) => Ok(format!("instance {name} is taking the settings {wanted:?}")),
        Err(error) if error.is(Class::WrongState) => {
            Ok(format!("instance {name} is {}: {}", target.status_text(), error.message))
        }
        Err(error) if error.is(Class::Refused) => Err(StepError::new(ErrorCode::InstanceFailed, error.to_string())),
        Err(error) => Err(error.into()),
    }
}
