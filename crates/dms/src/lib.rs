//! What the steps that talk to DMS share. Nothing about DMS is carried by the machine: every call finds the run's
//! objects by the names derived from the run's id, so a lost answer or a second execution changes nothing.
//!
//! DMS's statuses are texts, not a closed list, and two answers that matter (out of memory, stopped after the cached
//! changes) are told apart by text alone: [`task`] is the one place that reads them. What a failed connection test says is read
//! in [`explain`] alone.

mod change;
mod class;
mod connections;
mod endpoints;
mod explain;
mod find;
mod instance;
mod mapping;
mod memory;
mod offers;
mod settings;
mod standing;
mod statistics;
mod subnet_group;
mod task;

use aws_sdk_databasemigration::Client;
use pgleap_step_kit::Ctx;

pub use change::NewTask;
pub use class::{memory_gib, next_larger};
pub use connections::{Connections, FailedTest, Tests, explained};
pub use endpoints::{Endpoint, Side, WantedEndpoint, secret_role};
pub use explain::{Reason, Route, explain, reason};
pub use instance::{Instance, NewInstance, ReplicationInstance};
pub use mapping::Mapping;
pub use memory::Memory;
pub use offers::Offer;
pub use settings::Settings;
pub use standing::Standing;
pub use statistics::{TableLoad, TableProblems};
pub use task::{Ending, Progress, Status, Task};

/// AWS DMS, for one step. What it finds are plain values; moments are seconds since the epoch.
#[derive(Debug, Clone)]
pub struct Dms {
    client: Client,
}

impl Dms {
    /// With the step's configuration.
    pub fn new(ctx: &Ctx) -> Self {
        Self { client: Client::new(ctx.aws()) }
    }
}
