//! Resume the target's scheduled jobs after OPEN: until then they would have done twice what the source's did.
//!
//! Changes:      AWS (one dynamic parameter of the group that the target lives with)
//! Repeatable:   yes; the parameter is compared with the user's own value before it is set
//! If it dies:   called again

use aws_sdk_rds::Client;
use aws_sdk_rds::types::{ApplyMethod, DbInstance, Parameter};
use pgleap_contract::steps::{NoOutput, RunOnly};
use pgleap_rds::{instance, parameter_group, quiet};
use pgleap_step_kit::prelude::*;

/// Give the parameter the user's own value, or none, and wait until it is applied. Nothing is to do without pg_cron.
pub async fn run(ctx: &Ctx, input: RunOnly) -> StepResult<Polled<NoOutput>> {
    let run = &input.run;
    let name = instance::target_name(run)?;
    let rds = Client::new(ctx.aws());
    let missing = |name: &str| {
        StepError::new(ErrorCode::InstanceFailed, format!("find instance {name}: there is no such instance"))
    };
    let target = instance::describe(&rds, name).await?.ok_or_else(|| missing(name))?;
    let group = group_of(&target);
    let values = parameter_group::values_of(&rds, &group.name).await?;
    if !quiet::loads_cron(&values) {
        return Ok(Polled::Done(NoOutput {}));
    }
    let source = instance::describe(&rds, &run.source.instance).await?.ok_or_else(|| missing(&run.source.instance))?;
    let users = parameter_group::users_values(&rds, run, &group_of(&source).name).await?;
    match decide(values.get(quiet::JOBS), users.get(quiet::JOBS), &group.status) {
        Verdict::Done => Ok(Polled::Done(NoOutput {})),
        Verdict::Wait => Ok(Polled::Waiting(format!("instance {name}: parameters are {}", group.status))),
        Verdict::Set(value) => set(&rds, &group.name, value).await,
        Verdict::Reset => reset(&rds, &group.name).await,
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

struct Group {
    name: String,
    status: String,
}

fn group_of(instance: &DbInstance) -> Group {
    let group = instance.db_parameter_groups().first();
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    Group {
        name: text(group.and_then(|group| group.db_parameter_group_name())),
        status: text(group.and_then(|group| group.parameter_apply_status())),
    }
}

/// A dynamic parameter of a group that is in sync takes hold without a reboot.
/// Source: Amazon RDS user guide, "Working with parameter groups".
fn jobs() -> aws_sdk_rds::types::builders::ParameterBuilder {
    Parameter::builder().parameter_name(quiet::JOBS).apply_method(ApplyMethod::Immediate)
}

async fn set(rds: &Client, group: &str, value: &str) -> StepResult<Polled<NoOutput>> {
    let modify = rds
        .modify_db_parameter_group()
        .db_parameter_group_name(group)
        .parameters(jobs().parameter_value(value).build());
    modify.send().await.doing(format!("set {} of {group}", quiet::JOBS))?;
    Ok(Polled::Waiting(format!("parameter group {group} to let jobs start")))
}

async fn reset(rds: &Client, group: &str) -> StepResult<Polled<NoOutput>> {
    let reset = rds
        .reset_db_parameter_group()
        .db_parameter_group_name(group)
        .reset_all_parameters(false)
        .parameters(jobs().build());
    reset.send().await.doing(format!("reset {} of {group}", quiet::JOBS))?;
    Ok(Polled::Waiting(format!("parameter group {group} to let jobs start")))
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
