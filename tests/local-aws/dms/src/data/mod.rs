//! The data plane: what a DMS task does to two real servers.
//!
//! In reading order: what a task is told ([`mapping`], [`settings`]), how it reaches servers ([`access`], [`wire`]),
//! what it finds there ([`catalog`], [`columns`]), the load, the changes, and the task that drives both ([`task`]).

pub(crate) mod mapping;
pub(crate) mod settings;

pub(crate) mod access;
pub(crate) mod failure;
pub(crate) mod tls;
mod wire;

mod catalog;
pub(crate) mod columns;
pub(crate) mod faults;
pub(crate) mod statistics;

mod load;
mod lob;
mod prepare;

mod cached_changes;
pub(crate) mod lsn;
pub(crate) mod slot;
mod statements;
mod stream;
mod test_decoding;

mod apply;
mod conflicts;
mod control_tables;
mod parameters;
mod replicate;
pub(crate) mod task;
mod work;
