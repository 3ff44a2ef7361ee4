//! The subnets in which the replication instance may be.

use pgleap_contract::Run;
use pgleap_step_kit::aws::{AwsError, Doing, Optional};

use crate::Dms;
use crate::find::{filter, tags};

impl Dms {
    /// Whether there is a subnet group of this name.
    pub async fn has_subnet_group(&self, id: &str) -> Result<bool, AwsError> {
        let filter = filter("replication-subnet-group-id", [id]);
        let answer = self.client.describe_replication_subnet_groups().filters(filter).send().await;
        let found = answer.doing(format!("describe replication subnet group {id}")).optional()?;
        Ok(found.is_some_and(|page| !page.replication_subnet_groups().is_empty()))
    }

    /// Make a subnet group of the run's own.
    pub async fn create_subnet_group(&self, run: &Run, id: &str, subnet_ids: Vec<String>) -> Result<(), AwsError> {
        let create = self
            .client
            .create_replication_subnet_group()
            .replication_subnet_group_identifier(id)
            .replication_subnet_group_description(format!("pgleap run {}", run.id))
            .set_subnet_ids(Some(subnet_ids))
            .set_tags(Some(tags(run)));
        create.send().await.doing(format!("create replication subnet group {id}")).map(|_created| ())
    }

    /// Delete a subnet group. DMS keeps it as long as an instance is in it.
    pub async fn delete_subnet_group(&self, id: &str) -> Result<(), AwsError> {
        let delete = self.client.delete_replication_subnet_group().replication_subnet_group_identifier(id);
        delete.send().await.doing(format!("delete replication subnet group {id}")).map(|_deleted| ())
    }
}
