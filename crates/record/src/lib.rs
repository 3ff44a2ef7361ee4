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
use pgleap_step_kit::aws::AwsError;

pub use change::{Batch, Spread, cutover_ttl, plan, resubmit};
pub use group::{Member, names_instance, same_host};
pub use listing::{RecordSet, Routing, Zone};
pub use saved::{Changes, Memory, SavedMember};

/// Route 53's records, for one step.
#[derive(Debug, Clone)]
pub struct Records {
    client: Client,
    role: Option<String>,
}

impl Records {
    /// In the account of the hosted zone, by the stack's role for that where it has one.
    pub fn new(ctx: &Ctx) -> Self {
        Self { client: Client::new(ctx.aws_of_record()), role: ctx.record_role().map(str::to_owned) }
    }

    /// Only the owner of the zone's account can let a caller in, so a refusal says what has to be asked of whom.
    fn advised<T>(&self, answer: Result<T, AwsError>) -> Result<T, AwsError> {
        let advice = || match &self.role {
            Some(role) => format!(
                "the permission policy of role {role} (parameter RecordRoleArn) must allow this on the hosted zone, and the zone \
                 must be of the role's account; see \"A hosted zone of another account\" in infra/README.md"
            ),
            None => {
                "allow the function this action (its policy is in infra/template.yaml); if the hosted zone is another \
                     account's, give the stack a role of that account (parameter RecordRoleArn)"
                    .to_owned()
            }
        };
        answer.map_err(|error| error.advise_if_denied(advice))
    }
}
