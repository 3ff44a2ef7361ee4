//! What the steps that touch the clients' record share.
//!
//! A record is a group: all record sets of one name and type, one for a simple record, up to a hundred for a weighted
//! one. Of each member only the value and the TTL ever change; everything else is sent back as it was read.
//!
//! What the record was like before is kept in a secret of the run's own, written before the first change: recovery
//! knows nothing but the execution's ARN, and finds it by name (docs/decisions/0005-where-the-record-is-saved.md).

mod change;
mod group;
mod listing;
mod saved;

use aws_sdk_route53::Client;
use pgleap_step_kit::Ctx;

pub use change::{Batch, cutover_ttl, plan, resubmit};
pub use group::{Member, names_instance, same_host};
pub use listing::{RecordSet, Routing, Zone};
pub use saved::{Changes, Memory, SavedMember};

/// Route 53's records, for one step.
#[derive(Debug, Clone)]
pub struct Records {
    client: Client,
}

impl Records {
    /// With the step's configuration.
    pub fn new(ctx: &Ctx) -> Self {
        Self { client: Client::new(ctx.aws()) }
    }
}
