//! What the steps that touch the clients' record share.
//!
//! A record is a group: all record sets of one name and type, one for a simple record, up to a hundred for a weighted
//! one. Of each member only the value and the TTL ever change; everything else is sent back as it was read.
//!
//! What the record was like before is kept in a secret of the run's own, written before the first change: recovery
//! knows nothing but the execution's ARN, and finds it by name (docs/decisions/0005-where-the-record-is-saved.md).

mod change;
mod group;
mod saved;

pub use change::{cutover_ttl, in_sync, plan, resubmit, submit};
pub use group::{Member, names_instance, read, same_host};
pub use saved::{Changes, Memory, SavedMember};
