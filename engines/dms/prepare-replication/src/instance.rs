//! Subnet group and replication instance.

use aws_sdk_databasemigration::Client;
use pgleap_contract::replication_size as size;
use pgleap_contract::steps::PrepareReplicationInput;
use pgleap_dms::Instance;
use pgleap_step_kit::prelude::*;

use crate::Place;

pub(crate) async fn ensure_subnet_group(
    dms: &Client,
    input: &PrepareReplicationInput,
    place: &Place,
) -> StepResult<()> {
    let name = input.run.id.names().replication_subnet_group();
    if pgleap_dms::subnet_group(dms, &name).await?.is_some() {
        return Ok(());
    }
    let answer = dms
        .create_replication_subnet_group()
        .replication_subnet_group_identifier(&name)
        .replication_subnet_group_description(format!("pgleap run {}", input.run.id))
        .set_subnet_ids(Some(place.subnet_ids.clone()))
        .tags(pgleap_dms::tag(&input.run.id))
        .send()
        .await;
    created(answer.doing(format!("create replication subnet group {name}")).map(|_| ()))
}

/// Engine version pinned and no automatic minor upgrade: with it DMS takes its default version even where another was
/// asked for (AWS documentation, CreateReplicationInstance).
pub(crate) async fn ensure(dms: &Client, input: &PrepareReplicationInput, place: &Place) -> StepResult<Instance> {
    let name = input.run.id.names().replication_instance();
    if let Some(found) = pgleap_dms::instance(dms, &name).await? {
        return pgleap_dms::look_at_instance(dms, &name, &found).await;
    }
    let class = size::class(input.run.copy.dms.instance_class.as_deref(), &input.size);
    let answer = dms
        .create_replication_instance()
        .replication_instance_identifier(&name)
        .resource_identifier(input.run.id.names().dms_resource_id(&name))
        .replication_instance_class(class)
        .allocated_storage(size::storage_gib(&input.size))
        .set_engine_version(input.way.dms_engine_version.clone())
        .auto_minor_version_upgrade(false)
        .replication_subnet_group_identifier(input.run.id.names().replication_subnet_group())
        .set_vpc_security_group_ids(Some(place.security_group_ids.clone()))
        .publicly_accessible(false)
        .multi_az(false)
        .tags(pgleap_dms::tag(&input.run.id))
        .send()
        .await;
    created(answer.doing(format!("create replication instance {name} ({class})")).map(|_| ()))?;
    Ok(Instance::Passing { status: "creating".to_owned() })
}

/// "Already there" is done: the name is the run's own, and a first call's answer may have been lost. The one refusal
/// that every account meets once gets its remedy.
fn created(answer: Result<(), AwsError>) -> StepResult<()> {
    match answer {
        Err(error) if error.is(Class::AlreadyThere) => Ok(()),
        Err(error) if error.is(Class::Denied) && error.message.contains("is not configured properly") => {
            let remedy = "DMS wants the role dms-vpc-role, once an account: see docs/runbook/AccessDenied.md";
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
