//! RDS of the local AWS against real servers. Every answer is checked against the published model.

mod catalogs;
mod life_cycle;
mod parameter_groups;
mod region;
mod roles;
mod snapshots;
mod upgrades;
