//! The local stand-in for AWS DMS.

mod catalog;
mod data;

pub use data::faults::{Fault, UnknownFault};
