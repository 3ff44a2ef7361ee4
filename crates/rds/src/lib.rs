//! What restore-target and upgrade-target both do with RDS: look at an instance and its events, make parameter groups.

pub mod instance;
pub mod parameter_group;
pub mod parameters;
pub mod quiet;
