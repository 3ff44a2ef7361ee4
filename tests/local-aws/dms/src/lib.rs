//! The local stand-in for AWS DMS: a control plane with DMS's states, delays and refusals, and a data plane that
//! really moves rows between PostgreSQL servers, with DMS's limits.
//!
//! [`Dms`] is the service; a call comes in as JSON and goes out as JSON, the wire is the gateway's affair. The
//! control plane ([`control`]) is a set of records and of rules about their states; what a started task does to two
//! servers is the data plane ([`data`]). They share a task's figures, a stop signal and nothing else. Every behaviour
//! and where it comes from stands in `docs/fidelity/dms.md`.

mod catalog;
mod control;
mod data;

pub use control::{Dms, DmsSettings, Quota};
pub use data::faults::{Fault, UnknownFault};
