//! Where the replication instance stands: with the functions, which reach both databases and Secrets Manager already, or, if the
//! input says so, with the source.

use pgleap_contract::DmsNetwork;
use pgleap_contract::steps::PrepareReplicationInput;
use pgleap_step_kit::prelude::*;

/// Subnets and security groups.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// In at least two zones.
    pub subnet_ids: Vec<String>,
    /// Security groups.
    pub security_group_ids: Vec<String>,
}

impl Place {
    /// That of the stack's functions, from the environment.
    pub(crate) fn of_stack() -> StepResult<Self> {
        let list = |name: &str| {
            let text =
                std::env::var(name).map_err(|_| StepError::bug(format!("read the environment: {name} is not set")))?;
            Ok::<Vec<String>, StepError>(text.split(',').map(str::to_owned).collect())
        };
        Ok(Self { subnet_ids: list("PGLEAP_SUBNET_IDS")?, security_group_ids: list("PGLEAP_SECURITY_GROUP_IDS")? })
    }

    /// The one that the input chose.
    pub(crate) fn chosen(input: &PrepareReplicationInput, stack: &Self) -> Self {
        match input.run.copy.dms.network {
            DmsNetwork::Stack => stack.clone(),
            DmsNetwork::Source => Self {
                subnet_ids: input.way.subnet_ids.clone(),
                security_group_ids: input.way.security_group_ids.clone(),
            },
        }
    }
}
