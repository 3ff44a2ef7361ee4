//! What the load needs and a restore does not take: the source's roles for features, and the limit up to which its storage grows by
//! itself. What only protects or watches is for after the load: protect-target.
//! Source: Amazon RDS service model, RestoreDBInstanceFromDBSnapshot against ModifyDBInstance.

use aws_sdk_rds::Client;
use aws_sdk_rds::types::DbInstance;
use pgleap_contract::steps::NoOutput;
use pgleap_rds::growth::{self, Growth};
use pgleap_rds::instance;
use pgleap_step_kit::prelude::*;

use crate::refusal::Attempt;

/// A role of the source for a feature.
type Role = (String, String);

/// One look: what differs is set.
pub(crate) async fn complete(rds: &Client, run: &Run, copy: &DbInstance) -> StepResult<Polled<NoOutput>> {
    let name = instance::target_name(run)?;
    let source = instance::describe(rds, &run.source.instance).await?.ok_or_else(|| {
        StepError::new(
            ErrorCode::InstanceFailed,
            format!("find source {}: there is no such instance", run.source.instance),
        )
    })?;
    note_managed_password(&source, copy);
    if let Some((role, feature)) = roles_left(&source, copy).into_iter().next() {
        return add_role(rds, name, &role, &feature).await;
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
async fn let_grow(rds: &Client, name: &str, limit: i32) -> StepResult<Option<String>> {
    let modify = rds.modify_db_instance().db_instance_identifier(name).apply_immediately(true);
    let answer = modify.max_allocated_storage(limit).send().await;
    match answer.doing(format!("let the storage of instance {name} grow to {limit} GiB")) {
        Ok(_) => Ok(None),
        Err(error) if error.is(Class::WrongState) => Ok(Some(format!("instance {name}: {}", error.message))),
        Err(error) if error.is(Class::Throttled) || error.is(Class::Unavailable) => Err(error.into()),
        Err(error) => {
            tracing::warn!(%error, "the storage of the target does not grow by itself");
            Ok(None)
        }
    }
}

fn roles_left(source: &DbInstance, copy: &DbInstance) -> Vec<Role> {
    let roles = |instance: &DbInstance| -> Vec<Role> {
        let roles = instance.associated_roles().iter();
        roles.filter_map(|role| Some((role.role_arn.clone()?, role.feature_name.clone()?))).collect()
    };
    let has = roles(copy);
    roles(source).into_iter().filter(|role| !has.contains(role)).collect()
}

async fn add_role(rds: &Client, name: &str, role: &str, feature: &str) -> StepResult<Polled<NoOutput>> {
    let add = rds.add_role_to_db_instance().db_instance_identifier(name).role_arn(role).feature_name(feature);
    match add.send().await.doing(format!("add role {role} for {feature} to instance {name}")) {
        Ok(_) => Ok(Polled::Waiting(format!("instance {name} to take role {role}"))),
        Err(error) if error.is(Class::WrongState) || error.is(Class::AlreadyThere) => {
            Ok(Polled::Waiting(format!("instance {name}: {}", error.message)))
        }
        Err(error) => Err(error.into()),
    }
}

/// Letting RDS manage the target's password would change it under the run, which uses the source's on both sides.
fn note_managed_password(source: &DbInstance, copy: &DbInstance) {
    if source.master_user_secret().is_some() && copy.master_user_secret().is_none() {
        tracing::warn!("the source's master password is managed by RDS; turn that on for the target after the run");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_rds::types::DbInstanceRole;

    #[test]
    fn roles_are_added_once() {
        let role = |arn: &str| DbInstanceRole::builder().role_arn(arn).feature_name("s3Import").build();
        let source = DbInstance::builder().associated_roles(role("a")).associated_roles(role("b")).build();
        let copy = DbInstance::builder().associated_roles(role("a")).build();

        assert_eq!(roles_left(&source, &copy), [("b".to_owned(), "s3Import".to_owned())]);
    }
}
