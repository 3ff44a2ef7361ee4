//! RDS of the local AWS: instances are real PostgreSQL servers, snapshots real backups, upgrades real `pg_upgrade`.
//!
//! The API's behaviour is a life cycle around those servers: every change is accepted at once, carried out in the
//! background with AWS's delays (scaled by the clock), and seen by describing again. A read never waits for work.
//! What RDS refuses is refused here before anything happens; what fails on RDS (a slot in the way of an upgrade,
//! a parameter group whose values no server can start with) fails here for the same reason and is told by the same
//! means: a status, an event, a log file.
//!
//! Reading order: [`Rds`] and its surroundings, `state` (what there is), `instances` (what may be asked of one),
//! `parameter_groups` (what a server is told), `snapshots`, `upgrade`, `roles` (who a master user is).

mod classes;
mod copy_faults;
mod delays;
mod engine_versions;
mod errors;
mod events;
mod faults;
mod instances;
mod logs;
mod names;
mod network;
mod paging;
mod parameter_groups;
mod proxies;
mod quotas;
mod rds_tools;
mod role_attributes;
mod roles;
mod service;
mod snapshots;
mod state;
mod tags;
mod upgrade;

pub use faults::{CopyFault, PlannedFault, Statement};
pub use quotas::Quota;
pub use service::{KeepSecret, Rds, Surroundings};
