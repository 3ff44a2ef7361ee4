//! What the load needs and a restore does not take: the source's roles for features, and the limit up to which its storage grows by
//! itself. What only protects or watches is for after the load: protect-target.
//! Source: Amazon RDS service model, RestoreDBInstanceFromDBSnapshot against ModifyDBInstance.

use pgleap_contract::steps::NoOutput;
use pgleap_rds::growth::{self, Growth};
use pgleap_rds::{Change, Instance, Rds, Role, instance};
use pgleap_step_kit::prelude::*;

use crate::refusal::Attempt;

/// One look: what differs is set.
pub(crate) async fn complete(rds: &Rds, run: &Run, copy: &Instance) -> StepResult<Polled<NoOutput>> {
    let name = instance::target_name(run)?;
    let source = rds.instance(&run.source.instance).await?.ok_or_else(|| {
        StepError::new(
            ErrorCode::InstanceFailed,
            format!("find source {}: there is no such instance", run.source.instance),
        )
    })?;
    note_managed_password(run, &source, copy);
    if let Some(role) = roles_left(&source, copy).first() {
        return add_role(rds, name, role).await;
    }
    if let Growth::Set(limit) = growth::left(&source, copy)
        && let Some(waits) = let_grow(rds, name, limit).await?
    {
        return Ok(Polled::Waiting(waits));
    }
    Attempt::forget(rds, copy).await?;
    Ok(Polled::Done(NoOutput {}))
}

/// What it waits for, if for anything: a load is more likely to end with the limit, and may begin without it. Whether the target
/// has it in the end, protect-target says.
async fn let_grow(rds: &Rds, name: &str, limit: i32) -> StepResult<Option<String>> {
    let change = Change { at_once: true, grows_to_gib: Some(limit), ..Change::default() };
    match rds.modify(name, change, format!("let the storage of instance {name} grow to {limit} GiB")).await {
        Ok(()) => Ok(None),
        Err(error) if error.is(Class::WrongState) => Ok(Some(format!("instance {name}: {}", error.message))),
        Err(error) if error.is(Class::Throttled) || error.is(Class::Unavailable) => Err(error.into()),
        Err(error) => {
            tracing::warn!(%error, "the storage of the target does not grow automatically");
            Ok(None)
        }
    }
}

fn roles_left<'a>(source: &'a Instance, copy: &Instance) -> Vec<&'a Role> {
    source.roles.iter().filter(|role| !copy.roles.contains(role)).collect()
}

async fn add_role(rds: &Rds, name: &str, role: &Role) -> StepResult<Polled<NoOutput>> {
    match rds.add_role(name, role).await {
        Ok(()) => Ok(Polled::Waiting(format!("instance {name} is getting role {}", role.arn))),
        Err(error) if error.is(Class::WrongState) || error.is(Class::AlreadyThere) => {
            Ok(Polled::Waiting(format!("instance {name}: {}", error.message)))
        }
        Err(error) => Err(error.into()),
    }
}

/// Letting RDS manage the target's password would change it under the run, which uses the source's on both sides.
/// So would it while the source follows the target (`failBack`).
fn note_managed_password(run: &Run, source: &Instance, copy: &Instance) {
    if source.managed_secret.is_some() && copy.managed_secret.is_none() {
        let when = if run.fail_back.is_some() { "after failing back has ended" } else { "after the run" };
        tracing::warn!("RDS manages the source's master password; enable this for the target {when}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_added_once() {
        let role = |arn: &str| Role { arn: arn.to_owned(), feature: "s3Import".to_owned() };
        let source = Instance { roles: vec![role("a"), role("b")], ..Instance::default() };
        let copy = Instance { roles: vec![role("a")], ..Instance::default() };

        assert_eq!(roles_left(&source, &copy), [&role("b")]);
    }
}
