//! The control services around a run: Secrets Manager, EventBridge Scheduler, EventBridge's rules, Step Functions.
//!
//! - [`SecretsManager`] keeps secrets in memory; their values are in no log and in no `Debug` text.
//! - [`Scheduler`] fires one-shot schedules at their time, which is real time: a deadline is never scaled.
//! - [`EventRules`] matches what services publish on the [`EventBus`](local_aws_core::EventBus) and tells the targets.
//! - [`Sns`] keeps what is published, as the mailbox of whoever would have been told.
//! - [`Sts`] gives out sessions of roles, of other accounts too.
//! - [`StepFunctions`] is moto's interpreter in a child process, repaired, behind the one port.
//!
//! Scheduler and rules reach functions and state machines through [`Targets`], by the service in the target's ARN.

mod ec2;
mod events;
mod scheduler;
mod secrets;
mod sns;
mod states;
mod sts;
mod targets;

pub use ec2::Ec2;
pub use events::EventRules;
pub use scheduler::Scheduler;
pub use secrets::SecretsManager;
pub use sns::{Message, Sns};
pub use states::{StatesConfig, StepFunctions};
pub use sts::{Session, Sts};
pub use targets::Targets;
