//! What every step is made with: one way to be called, one way to fail, one way to log, one place where errors of AWS
//! are sorted. A step's `main.rs` is one line, its `lib.rs` the decisions.

mod arn;
pub mod aws;
pub mod chores;
mod context;
mod deadline;
mod error;
pub mod fail_back_settings;
pub mod instance_status;
mod kept;
mod logs;
pub mod metrics;
mod movement;
mod polled;
mod quota;
mod record_role;
mod secrets;
mod serve;
pub mod source_watch;
pub mod unchanged;
pub mod wal;

pub use arn::arn;
pub use context::Ctx;
pub use deadline::Deadline;
pub use error::{StepError, StepResult};
pub use polled::{Answer, Polled};
pub use quota::Quota;
pub use secrets::{Secret, SecretOwner, secret_tags, secrets_key};
pub use serve::{WarmUp, serve, serve_pages, serve_prepared};

/// What steps use all the time.
pub mod prelude {
    pub use crate::aws::{AwsError, Class, Doing, Optional};
    pub use crate::{Ctx, Polled, StepError, StepResult};
    pub use pgleap_contract::{ErrorCode, Names, Run, Server};
}
