//! The replication instance, as far as steps need it.

use aws_sdk_databasemigration::Client;
use aws_sdk_databasemigration::types::{ReplicationInstance, SourceType};
use pgleap_contract::ErrorCode;
use pgleap_step_kit::{StepError, StepResult, arn};

use crate::Standing;
use crate::find::events;

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

/// What DMS says of an instance.
///
/// # Errors
/// No waiting mends it.
pub async fn look_at_instance(client: &Client, name: &str, found: &ReplicationInstance) -> StepResult<Instance> {
    let status = found.replication_instance_status().unwrap_or("unknown").to_owned();
    match Standing::of(&status) {
        Standing::Usable => Ok(Instance::Available {
            arn: arn(&format!("replication instance {name}"), found.replication_instance_arn())?.to_owned(),
            address: found.replication_instance_private_ip_addresses().first().cloned(),
        }),
        Standing::Passing => Ok(Instance::Passing { status }),
        Standing::Broken => {
            let events = events(client, SourceType::ReplicationInstance, name).await;
            let reason = format!("use replication instance {name}: it is {status}: {events}");
            Err(StepError::new(ErrorCode::InstanceFailed, reason))
        }
    }
}
