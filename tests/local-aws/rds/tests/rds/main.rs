//! RDS of the local AWS against real servers. Every answer is checked against the published model.

#![allow(clippy::unwrap_used, reason = "a test")]

mod catalogs;
mod copy_faults;
mod life_cycle;
mod network;
mod parameter_groups;
mod proxies;
mod region;
mod roles;
mod seeds;
mod snapshots;
mod upgrades;
