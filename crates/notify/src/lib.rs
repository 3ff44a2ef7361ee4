//! What is told to people: a message to the stack's topic, where to look, and a link to answer by.

mod answer_link;
mod links;
mod topic;

pub use answer_link::{AnswerKey, AnswerLinks, Asked, Sealed, Unusable};
pub use links::{Runbook, console, region_of};
pub use topic::Topic;
