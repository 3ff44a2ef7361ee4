//! The control plane: records, their states, and what DMS refuses.

mod errors;
mod filters;
mod identifiers;
mod quotas;
mod records;
mod service;

mod certificates;
mod connections;
mod endpoints;
mod events;
mod instances;
mod subnet_groups;
mod table_statistics;
mod tags;
mod task_runs;
mod tasks;

pub use quotas::Quota;
pub use service::{Dms, DmsSettings};
