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
mod settings;
mod standing;
mod statistics;
mod task;

pub use change::{change, stop};
pub use class::{memory_gib, next_larger, offered_classes};
pub use connections::{Connections, FailedTest, Tests, connections, explained, retest, tests};
pub use endpoints::{WantedEndpoint, endpoint_settings, ensure_endpoint, secret_role};
pub use explain::{Reason, Route, explain, reason};
pub use find::{
    current_task, endpoint, events, instance, instance_arn, instance_status, subnet_group, tag, task_arn, tasks,
    written,
};
pub use instance::{Instance, look_at_instance};
pub use mapping::Mapping;
pub use memory::{Memory, remember};
pub use settings::Settings;
pub use standing::Standing;
pub use statistics::{TableProblems, table_problems, tables};
pub use task::{Ending, Status, ending, stopped_at, words};
