//! Lambda without AWS: functions are child processes behind the Runtime API, called through the Invoke API.
//!
//! The binaries are the ones that are deployed. What a function may take (memory, time, concurrency) and what it is
//! told (environment, credentials) comes from the template, and a function that takes more ends as it would on AWS,
//! with the error name that a state machine's Retry and Catch see.
//!
//! - [`LambdaHost`] holds the functions and answers Invoke; a [`RawService`](local_aws_core::RawService) of the gateway.
//! - A sandbox is one process of one function: one invocation at a time, reused while it lives. Overlapping
//!   invocations get more sandboxes, up to the function's reserved concurrency.
//! - A [`Plan`] disturbs invocations to come: the process is killed (before its n-th API call, after a while, or with
//!   its answer lost), stopped for a while and then goes on although its caller was cut off, never sees the call, or
//!   gets it only when somebody lets it.
//!
//! Sandboxes do not outlive the host: they are killed when it stops or is dropped, and if it is killed itself, the
//! Runtime API is gone, on which a function ends by itself.

mod answer;
mod config;
mod function_url;
mod host;
mod idle;
mod invocation;
mod invoke_api;
mod logs;
mod memory;
mod outside;
mod plan;
mod runtime_api;
mod sandbox;
mod template;

pub use answer::Outcome;
pub use config::{FunctionConfig, HostConfig};
pub use function_url::function_url;
pub use host::{LambdaHost, Progress};
pub use outside::{Handler, OutsideFunction};
pub use plan::{Held, KillPlan, KillWhen, Place, Plan, Planned, Struck, What};
pub use template::{Resource, Template, TemplateError};
