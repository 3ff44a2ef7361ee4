//! RDS, as steps see it: instances, snapshots, parameter groups, events and logs as plain values, and the calls that read
//! and change them. Moments are milliseconds since the epoch.

mod events;
pub mod growth;
pub mod instance;
mod logs;
mod modify;
mod offers;
pub mod parameter_group;
pub mod parameters;
mod parts;
mod pending;
mod proxies;
pub mod quiet;
mod restore;
mod snapshot;
mod tags;

use aws_sdk_rds::Client;
use pgleap_step_kit::Ctx;

pub use events::{Event, text_of};
pub use instance::Instance;
pub use logs::LogFile;
pub use modify::Change;
pub use offers::{EngineVersion, Maintenance};
pub use parts::{AttachedGroup, Described, Endpoint, Insights, Monitoring, Role, Subnet};
pub use pending::Pending;
pub use proxies::{Proxy, ProxyTarget};
pub use snapshot::Snapshot;
pub use tags::{Tags, is_ours};

/// RDS, for one step.
#[derive(Debug, Clone)]
pub struct Rds {
    client: Client,
}

impl Rds {
    /// With the step's configuration.
    pub fn new(ctx: &Ctx) -> Self {
        Self { client: Client::new(ctx.aws()) }
    }
}
