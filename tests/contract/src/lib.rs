//! The state machines as data: rendered from YAML, and checked against the contract.
//!
//! `render` makes the one JSON that is validated, rehearsed and deployed. `expression` is the small JSONata that the
//! machines may use, and `walk` follows every edge with it: what a step is sent parses as its input, what a state
//! reads was assigned on every path, and no failure between fence and OPEN leads anywhere but back.

mod constructs;
pub mod declared;
pub mod engines;
pub mod expression;
pub mod input;
pub mod machine;
pub mod page;
pub mod pictures;
pub mod record;
pub mod record_role;
pub mod rendered;
pub mod rules;
pub mod samples;
pub mod template;
pub mod walk;

pub(crate) use input::{Approval, Clients, CopyRequest, DmsSettings, Window};
pub use machine::{Machine, function_name, render};
pub use pgleap_contract::Phase;
