//! Resume the target's scheduled jobs after OPEN: before that, they would have repeated what the source's jobs did.
//!
//! Changes:      AWS (one dynamic parameter of the group that the target lives with)
//! Repeatable:   yes; the parameter is compared with the user's own value before it is set
//! If it dies:   called again

use pgleap_contract::steps::{NoOutput, RunOnly};
use pgleap_rds::{Rds, instance, quiet};
use pgleap_step_kit::prelude::*;

/// Give the parameter the user's own value, or none, and wait until it is applied. Nothing is to do without pg_cron.
pub async fn run(ctx: &Ctx, input: RunOnly) -> StepResult<Polled<NoOutput>> {
    let run = &input.run;
    let name = instance::target_name(run)?;
    let rds = Rds::new(ctx);
    let missing = |name: &str| {
        StepError::new(ErrorCode::InstanceFailed, format!("find instance {name}: there is no such instance"))
    };
    let target = rds.instance(name).await?.ok_or_else(|| missing(name))?;
    let (group, status) = (target.group_name().unwrap_or_default(), target.parameters());
    let values = rds.values_of(group).await?;
    if !quiet::loads_cron(&values) {
        return Ok(Polled::Done(NoOutput {}));
    }
    let source = rds.instance(&run.source.instance).await?.ok_or_else(|| missing(&run.source.instance))?;
    let users = rds.users_values(run, source.group_name().unwrap_or_default()).await?;
    match decide(values.get(quiet::JOBS), users.get(quiet::JOBS), status) {
        Verdict::Done => Ok(Polled::Done(NoOutput {})),
        Verdict::Wait => Ok(Polled::Waiting(format!("instance {name} has parameters that are {status}"))),
        Verdict::Set(value) => {
            rds.set_parameter(group, quiet::JOBS, value).await?;
            Ok(starts(group))
        }
        Verdict::Reset => {
            rds.reset_parameter(group, quiet::JOBS).await?;
            Ok(starts(group))
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict<'a> {
    Done,
    Wait,
    Set(&'a str),
    Reset,
}

fn decide<'a>(has: Option<&String>, users: Option<&'a String>, status: &str) -> Verdict<'a> {
    match (has, users) {
        (Some(has), Some(users)) if has != users => Verdict::Set(users),
        (None, Some(users)) => Verdict::Set(users),
        (Some(_), None) => Verdict::Reset,
        _ if status == "applying" => Verdict::Wait,
        _ => Verdict::Done,
    }
}

fn starts(group: &str) -> Polled<NoOutput> {
    Polled::Waiting(format!("parameter group {group} is being changed so that jobs start again"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_get_what_their_user_chose() {
        let (on, off) = ("on".to_owned(), "off".to_owned());
        let cases = [
            ("ours goes", Some(&off), None, "in-sync", Verdict::Reset),
            ("gone, being applied", None, None, "applying", Verdict::Wait),
            ("gone", None, None, "in-sync", Verdict::Done),
            ("the user's own", Some(&off), Some(&on), "in-sync", Verdict::Set("on")),
            ("the user wants none to start", Some(&off), Some(&off), "in-sync", Verdict::Done),
            ("a reboot that waits for something else", Some(&on), Some(&on), "pending-reboot", Verdict::Done),
        ];
        for (what, has, users, status, verdict) in cases {
            assert_eq!(decide(has, users, status), verdict, "{what}");
        }
    }
}
