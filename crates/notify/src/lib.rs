//! What is told to people: a message to the stack's topic, and where to look.

mod links;
mod topic;

pub use links::{console, region_of, runbook};
pub use topic::Topic;
