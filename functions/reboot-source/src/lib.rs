//! Reboot the source if a parameter requires it: this is the one planned interruption before the cutover.
//!
//! Changes:      source (one restart without failover; connections end)
//! Repeatable:   yes; a reboot is asked for only while a parameter waits for one, at most seconds after that was seen, and
//!               RDS refuses it while one goes on
//! If it dies:   the reboot goes on; the next look sees it

use std::time::{Duration, Instant};

use pgleap_contract::steps::{NoOutput, RunOnly};
use pgleap_rds::{Instance, Rds};
use pgleap_step_kit::instance_status::{self, Standing};
use pgleap_step_kit::prelude::*;

/// How old the description may be when the reboot is requested. A call that was held up after it read `pending-reboot` must
/// not reboot the source a second time, after a later call has done it. The request itself ends after 10 s (`Ctx::new`), so
/// both together are shorter than a reboot.
const LONGEST_AGE: Duration = Duration::from_secs(5);

/// Look at the instance; reboot it if that is what its parameters wait for.
pub async fn run(ctx: &Ctx, input: RunOnly) -> StepResult<Polled<NoOutput>> {
    let name = &input.run.source.instance;
    let rds = Rds::new(ctx);
    let began = Instant::now();
    let instance = describe(&rds, name).await?;
    match decide(&instance, began.elapsed()) {
        Verdict::Done => Ok(Polled::Done(NoOutput {})),
        Verdict::Wait(reason) => Ok(Polled::Waiting(format!("instance {name} {reason}"))),
        Verdict::Reboot => reboot(&rds, name).await,
        Verdict::Fail(reason) => Err(rds.failed(name, "reboot instance", &reason).await),
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Done,
    Wait(String),
    Reboot,
    Fail(String),
}

/// `age` is how long ago the description was requested.
fn decide(instance: &Instance, age: Duration) -> Verdict {
    let status = instance.status.as_str();
    match instance_status::of_instance(status) {
        Standing::Broken => return Verdict::Fail(format!("it is {status}")),
        Standing::Passing => return Verdict::Wait(format!("is {status}")),
        Standing::Usable => (),
    }
    match instance.parameters() {
        "in-sync" => Verdict::Done,
        "pending-reboot" if status == "available" && age > LONGEST_AGE => {
            Verdict::Wait(format!("was described {} s ago; the run checks again before it reboots it", age.as_secs()))
        }
        "pending-reboot" if status == "available" => Verdict::Reboot,
        "failed-to-apply" => Verdict::Fail("its parameters could not be applied".to_owned()),
        other => Verdict::Wait(format!("is {status}, and its parameters are {other}")),
    }
}

async fn describe(rds: &Rds, name: &str) -> StepResult<Instance> {
    rds.instance(name).await?.ok_or_else(|| {
        StepError::new(ErrorCode::InstanceFailed, format!("find source {name}: there is no such instance"))
    })
}

/// The SDK does not repeat this call by itself. The machine calls this step again, which looks first.
async fn reboot(rds: &Rds, name: &str) -> StepResult<Polled<NoOutput>> {
    match rds.reboot_once(name).await {
        Ok(()) => Ok(Polled::Waiting(format!("instance {name} is rebooting"))),
        // A reboot asked for before whose answer was lost, or a backup that just began.
        Err(error) if error.is(Class::WrongState) => Ok(Polled::Waiting(format!("instance {name}: {}", error.message))),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pgleap_rds::AttachedGroup;

    fn instance(status: &str, parameters: &str) -> Instance {
        let group = AttachedGroup { name: "own".to_owned(), status: parameters.to_owned() };
        Instance { status: status.to_owned(), parameter_group: Some(group), ..Instance::default() }
    }

    #[test]
    fn only_a_parameter_that_waits_on_a_usable_instance_makes_it_reboot() {
        let wait = |reason: &str| Verdict::Wait(reason.to_owned());
        let cases = [
            ("available", "in-sync", Verdict::Done),
            ("available", "pending-reboot", Verdict::Reboot),
            ("available", "applying", wait("is available, and its parameters are applying")),
            ("available", "failed-to-apply", Verdict::Fail("its parameters could not be applied".to_owned())),
            ("rebooting", "pending-reboot", wait("is rebooting")),
            ("rebooting", "in-sync", wait("is rebooting")),
            (
                "storage-optimization",
                "pending-reboot",
                wait("is storage-optimization, and its parameters are pending-reboot"),
            ),
            ("incompatible-parameters", "in-sync", Verdict::Fail("it is incompatible-parameters".to_owned())),
        ];
        for (status, parameters, verdict) in cases {
            assert_eq!(decide(&instance(status, parameters), Duration::ZERO), verdict, "{status}, {parameters}");
        }
    }

    #[test]
    fn a_call_that_was_held_up_looks_again_before_it_reboots() {
        let instance = instance("available", "pending-reboot");

        assert_eq!(decide(&instance, LONGEST_AGE), Verdict::Reboot);
        assert!(matches!(decide(&instance, LONGEST_AGE + Duration::from_secs(1)), Verdict::Wait(_)));
    }
}
