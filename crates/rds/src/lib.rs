//! What several steps do with RDS: look at an instance and its events, make parameter groups, compare settings.

pub mod growth;
pub mod instance;
pub mod parameter_group;
pub mod parameters;
pub mod quiet;
