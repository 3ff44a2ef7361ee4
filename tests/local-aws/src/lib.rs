//! An AWS on one computer, as far as pgleap uses it: real PostgreSQL servers behind RDS's API, a real DNS server behind
//! Route 53's, the real Lambda binaries, the real state machine.
//!
//! ```no_run
//! # async fn example() -> anyhow::Result<()> {
//! let aws = local_aws::LocalAws::start(local_aws::Config::default()).await?;
//! println!("AWS_ENDPOINT_URL={}", aws.url());
//! aws.stop().await;
//! # Ok(()) }
//! ```
//!
//! This crate only composes: each service is a crate of its own behind the seams of `local-aws-core`, and a service is
//! added here in one place, [`LocalAws::start`]. [`LocalAws::deploy`] takes the SAM template as CloudFormation would:
//! functions with their limits and policies, state machines, rules.

mod config;
mod deploy;
mod policies;
mod stack;

pub use config::Config;
pub use deploy::Deployment;
pub use local_aws_route53::{Propagated, Propagation};
pub use stack::LocalAws;
