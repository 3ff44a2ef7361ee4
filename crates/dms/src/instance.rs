//! The replication instance, as far as steps need it.

use aws_sdk_databasemigration::types::ReplicationInstance as Described;
use pgleap_contract::{ErrorCode, Run};
use pgleap_step_kit::aws::{AwsError, Doing, Optional};
use pgleap_step_kit::{StepError, StepResult, arn};

use crate::find::{filter, tags};
use crate::{Dms, Standing};

/// A replication instance, as DMS describes it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReplicationInstance {
    /// Its identifier.
    pub name: String,
    /// DMS's word; `unknown` if it says none. [`Standing::of`] says what it means.
    pub status: String,
    /// `dms.t3.medium`, ..
    pub class: String,
    /// Its disk, in GiB.
    pub storage_gib: i32,
    /// Of DMS: `3.6.1`, ..
    pub engine_version: String,
    /// Its private address, once it has one: what security groups see.
    pub address: Option<String>,
    pub(crate) arn: Option<String>,
}

impl ReplicationInstance {
    fn of(found: Described) -> Self {
        Self {
            address: found.replication_instance_private_ip_addresses().first().cloned(),
            name: found.replication_instance_identifier.unwrap_or_default(),
            status: found.replication_instance_status.unwrap_or_else(|| "unknown".to_owned()),
            class: found.replication_instance_class.unwrap_or_default(),
            storage_gib: found.allocated_storage,
            engine_version: found.engine_version.unwrap_or_default(),
            arn: found.replication_instance_arn,
        }
    }

    /// Its ARN.
    ///
    /// # Errors
    /// It has none.
    pub fn arn(&self) -> Result<&str, AwsError> {
        arn(&format!("replication instance {}", self.name), self.arn.as_deref())
    }
}

/// Where the instance is.
#[derive(Debug, PartialEq, Eq)]
pub enum Instance {
    /// It can test connections and run a task.
    Available {
        /// Its ARN.
        arn: String,
        /// Its private address: what security groups see.
        address: Option<String>,
    },
    /// It is made or changed.
    Passing {
        /// DMS's word.
        status: String,
    },
}

/// A replication instance to be made. It has no public address, is in one Availability Zone and keeps its engine version: with
/// automatic minor upgrades DMS takes its default version even where another was asked for (AWS documentation,
/// CreateReplicationInstance).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewInstance<'a> {
    /// Its identifier.
    pub name: &'a str,
    /// `dms.t3.medium`, ..
    pub class: &'a str,
    /// Its disk, in GiB.
    pub storage_gib: i32,
    /// Of DMS; none for its default.
    pub engine_version: Option<String>,
    /// Identifier of its subnet group.
    pub subnet_group: String,
    /// What its network interface belongs to.
    pub security_group_ids: Vec<String>,
}

impl Dms {
    /// The replication instance of this name.
    pub async fn instance(&self, id: &str) -> Result<Option<ReplicationInstance>, AwsError> {
        Ok(self.describe_instance("replication-instance-id", id).await?.map(ReplicationInstance::of))
    }

    /// Status of the replication instance of this ARN; `missing` if there is none.
    pub async fn instance_status(&self, arn: &str) -> Result<String, AwsError> {
        let found = self.describe_instance("replication-instance-arn", arn).await?;
        Ok(found.and_then(|found| found.replication_instance_status).unwrap_or_else(|| "missing".to_owned()))
    }

    async fn describe_instance(&self, by: &str, value: &str) -> Result<Option<Described>, AwsError> {
        let answer = self.client.describe_replication_instances().filters(filter(by, [value])).send().await;
        let found = answer.doing(format!("describe replication instance {value}")).optional()?;
        Ok(found.and_then(|page| page.replication_instances.unwrap_or_default().into_iter().next()))
    }

    /// What a step can do with an instance that was found.
    ///
    /// # Errors
    /// No waiting mends it.
    pub async fn look_at_instance(&self, found: &ReplicationInstance) -> StepResult<Instance> {
        let (name, status) = (&found.name, found.status.clone());
        match Standing::of(&status) {
            Standing::Usable => {
                Ok(Instance::Available { arn: found.arn()?.to_owned(), address: found.address.clone() })
            }
            Standing::Passing => Ok(Instance::Passing { status }),
            Standing::Broken => {
                let events = self.events_of_instance(name).await;
                let reason = format!("use replication instance {name}: it is {status}: {events}");
                Err(StepError::new(ErrorCode::InstanceFailed, reason))
            }
        }
    }

    /// Make a replication instance of the run's own.
    pub async fn create_instance(&self, run: &Run, new: NewInstance<'_>) -> Result<(), AwsError> {
        let create = self
            .client
            .create_replication_instance()
            .replication_instance_identifier(new.name)
            .resource_identifier(run.names().dms_resource_id(new.name))
            .replication_instance_class(new.class)
            .allocated_storage(new.storage_gib)
            .set_engine_version(new.engine_version)
            .auto_minor_version_upgrade(false)
            .replication_subnet_group_identifier(new.subnet_group)
            .set_vpc_security_group_ids(Some(new.security_group_ids))
            .publicly_accessible(false)
            .multi_az(false)
            .set_tags(Some(tags(run)));
        let doing = format!("create replication instance {} ({})", new.name, new.class);
        create.send().await.doing(doing).map(|_created| ())
    }

    /// Give an instance another class or more disk (in GiB), at once. `to`: the same in words, for an error.
    pub async fn grow_instance(
        &self,
        instance: &ReplicationInstance,
        class: Option<&str>,
        storage_gib: Option<i32>,
        to: &str,
    ) -> Result<(), AwsError> {
        let modify = self
            .client
            .modify_replication_instance()
            .replication_instance_arn(instance.arn()?)
            .set_replication_instance_class(class.map(str::to_owned))
            .set_allocated_storage(storage_gib)
            .apply_immediately(true);
        let doing = format!("grow replication instance {} to {to}", instance.name);
        modify.send().await.doing(doing).map(|_modified| ())
    }

    /// Delete the replication instance of this ARN.
    pub async fn delete_instance(&self, name: &str, arn: &str) -> Result<(), AwsError> {
        let answer = self.client.delete_replication_instance().replication_instance_arn(arn).send().await;
        answer.doing(format!("delete replication instance {name}")).map(|_deleted| ())
    }
}
