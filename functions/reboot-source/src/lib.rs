//! Reboot the source, if a parameter waits for it: the one planned interruption before the cutover.
//!
//! Changes:      source (one restart without failover; connections end)
//! Repeatable:   yes; a reboot is asked for only while a parameter waits for one, and RDS refuses it while one goes on
//! Undo:         none; a reboot changes nothing but the parameters in force
//! If it dies:   the reboot goes on; the next look sees it
//! Fails with:   InstanceFailed (final), AccessDenied (final), Throttled, ServiceUnavailable (retried)

use aws_sdk_rds::Client;
use aws_sdk_rds::config::retry::RetryConfig;
use aws_sdk_rds::types::DbInstance;
use pgleap_contract::steps::{Look, RunOnly};
use pgleap_rds::instance;
use pgleap_step_kit::instance_status::{self, Standing};
use pgleap_step_kit::prelude::*;

/// Look at the instance; reboot it if that is what its parameters wait for.
pub async fn run(ctx: &Ctx, input: RunOnly) -> StepResult<Look> {
    let name = &input.run.source.instance;
    let rds = Client::new(ctx.aws());
    match decide(&describe(&rds, name).await?) {
        Verdict::Done => Ok(Look::done()),
        Verdict::Wait(reason) => Ok(Look::waiting(format!("instance {name}: {reason}"))),
        Verdict::Reboot => reboot(&rds, name).await,
        Verdict::Fail(reason) => Err(instance::failed(&rds, name, "reboot instance", &reason).await),
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Done,
    Wait(String),
    Reboot,
    Fail(String),
}

fn decide(instance: &DbInstance) -> Verdict {
    let status = instance.db_instance_status().unwrap_or("unknown");
    match instance_status::of_instance(status) {
        Standing::Broken => return Verdict::Fail(format!("it is {status}")),
        Standing::Passing => return Verdict::Wait(format!("is {status}")),
        Standing::Usable => (),
    }
    let group = instance.db_parameter_groups().first();
    match group.and_then(|group| group.parameter_apply_status()) {
        Some("in-sync") => Verdict::Done,
        Some("pending-reboot") if status == "available" => Verdict::Reboot,
        Some("failed-to-apply") => Verdict::Fail("its parameters could not be applied".to_owned()),
        other => Verdict::Wait(format!("is {status}, parameters are {}", other.unwrap_or("unknown"))),
    }
}

async fn describe(rds: &Client, name: &str) -> StepResult<DbInstance> {
    let found = instance::describe(rds, name).await?;
    found.ok_or_else(|| {
        StepError::new(ErrorCode::InstanceFailed, format!("find source {name}: there is no such instance"))
    })
}

/// Never with a failover: static parameters take hold only in a reboot without one.
/// Source: Amazon RDS user guide, "Rebooting a DB instance".
///
/// The SDK must not repeat this call by itself: where the answer was lost and the reboot was quick, that would be a second
/// one. The machine calls this step again, which looks first.
async fn reboot(rds: &Client, name: &str) -> StepResult<Look> {
    let once = aws_sdk_rds::config::Builder::new().retry_config(RetryConfig::disabled());
    let reboot = rds.reboot_db_instance().db_instance_identifier(name).force_failover(false);
    match reboot.customize().config_override(once).send().await.doing(format!("reboot instance {name}")) {
        Ok(_) => Ok(Look::waiting(format!("instance {name} reboots"))),
        // A reboot asked for before whose answer was lost, or a backup that just began.
        Err(error) if error.is(Class::WrongState) => Ok(Look::waiting(format!("instance {name}: {}", error.message))),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_rds::types::DbParameterGroupStatus;

    #[test]
    fn only_a_parameter_that_waits_on_a_usable_instance_makes_it_reboot() {
        let wait = |reason: &str| Verdict::Wait(reason.to_owned());
        let cases = [
            ("available", "in-sync", Verdict::Done),
            ("available", "pending-reboot", Verdict::Reboot),
            ("available", "applying", wait("is available, parameters are applying")),
            ("available", "failed-to-apply", Verdict::Fail("its parameters could not be applied".to_owned())),
            ("rebooting", "pending-reboot", wait("is rebooting")),
            ("rebooting", "in-sync", wait("is rebooting")),
            ("storage-optimization", "pending-reboot", wait("is storage-optimization, parameters are pending-reboot")),
            ("incompatible-parameters", "in-sync", Verdict::Fail("it is incompatible-parameters".to_owned())),
        ];
        for (status, parameters, verdict) in cases {
            let group = DbParameterGroupStatus::builder().parameter_apply_status(parameters).build();
            let instance = DbInstance::builder().db_instance_status(status).db_parameter_groups(group).build();

            assert_eq!(decide(&instance), verdict, "{status}, {parameters}");
        }
    }
}
