//! Subnet group and replication instance.

use pgleap_contract::replication_size as size;
use pgleap_contract::steps::PrepareReplicationInput;
use pgleap_dms::{Dms, Instance, NewInstance};
use pgleap_step_kit::prelude::*;

use crate::Place;

pub(crate) async fn ensure_subnet_group(dms: &Dms, input: &PrepareReplicationInput, place: &Place) -> StepResult<()> {
    let name = input.run.names().replication_subnet_group();
    if dms.has_subnet_group(&name).await? {
        return Ok(());
    }
    created(dms.create_subnet_group(&input.run, &name, place.subnet_ids.clone()).await)
}

/// With the engine version that preflight has chosen.
pub(crate) async fn ensure(dms: &Dms, input: &PrepareReplicationInput, place: &Place) -> StepResult<Instance> {
    let name = input.run.names().replication_instance();
    if let Some(found) = dms.instance(&name).await? {
        return dms.look_at_instance(&found).await;
    }
    let class = size::class(input.run.copy.dms.instance_class.as_deref(), &input.size);
    let new = NewInstance {
        name: &name,
        class,
        storage_gib: size::storage_gib(&input.size),
        engine_version: input.way.dms_engine_version.clone(),
        subnet_group: input.run.names().replication_subnet_group(),
        security_group_ids: place.security_group_ids.clone(),
    };
    created(dms.create_instance(&input.run, new).await)?;
    Ok(Instance::Passing { status: "creating".to_owned() })
}

/// "Already there" is done: the name is the run's own, and a first call's answer may have been lost. The one refusal
/// that every account meets once gets its remedy.
fn created(answer: Result<(), AwsError>) -> StepResult<()> {
    match answer {
        Err(error) if error.is(Class::AlreadyThere) => Ok(()),
        Err(error) if error.is(Class::Denied) && error.message.contains("is not configured properly") => {
            let remedy = "DMS requires the role dms-vpc-role, once per account: see docs/runbook/AccessDenied.md";
            Err(StepError::new(ErrorCode::AccessDenied, format!("{error}; {remedy}")))
        }
        other => Ok(other?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_service_role_comes_with_its_remedy() {
        let refused = |class, message: &str| AwsError {
            doing: "create x".to_owned(),
            class,
            code: "AccessDeniedFault".to_owned(),
            message: message.to_owned(),
            advice: None,
        };

        let role = created(Err(refused(
            Class::Denied,
            "The IAM Role arn:aws:iam::1:role/dms-vpc-role is not configured properly.",
        )));
        let other = created(Err(refused(Class::Denied, "no")));

        assert!(role.expect_err("refused").message.contains("docs/runbook/AccessDenied.md"));
        assert!(!other.expect_err("refused").message.contains("runbook"));
        assert!(created(Err(refused(Class::AlreadyThere, "there"))).is_ok());
    }
}
