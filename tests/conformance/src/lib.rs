//! Conformance of the local AWS with AWS's published models, seen by clients that are not ours.
//!
//! - **The wire**, whole: a [`Mirror`] answers every operation with every member of its output filled, and keeps
//!   what it was asked. botocore sends every member of every input, and compares what it reads with what was sent;
//!   the Rust SDK crates must parse every answer and every error.
//! - **Behaviour**: botocore calls the stand-in. Its answers are validated against the uncut models, its refusals
//!   must be among the errors that the model lists, and the published waiters run as they are, as data.
//!
//! The Python side is `second_client/`, run with the project's own Python (`make setup`).

mod example;
mod mirror;
mod rust_clients;
mod second_client;

pub use mirror::{Mirror, mirror_gateway};
pub use rust_clients::rust_sdk_config;
pub use second_client::{cut_models_are_fresh, second_client};
