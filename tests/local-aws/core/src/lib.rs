//! The seams of the local AWS: what a service of the stand-in is, and what services may ask of each other.
//!
//! One gateway listens on one port. It finds the service and the operation of a request, decodes the request by
//! the published model of that service into plain JSON (the model's own member names, lists as arrays, timestamps
//! as epoch seconds), refuses what the model refuses, applies planned faults, calls [`Service::call`], checks the
//! answer against the model and encodes it again. A service therefore holds behaviour and nothing of any wire.
//!
//! Services know each other only through the small traits below, so that one can be added or broken on purpose
//! without touching the rest. Lambda's API and the way to the Step Functions interpreter speak HTTP themselves
//! ([`RawService`]) behind the same gateway, faults and log.
//!
//! Reading order: `call` and `seams` (what a service sees), `model` (what may go in and out), `gateway` (a call from
//! its request to its fate), `wire` (the protocols), `faults` and `call_log` (what tests plan and read).

mod call;
mod call_log;
mod checked;
mod clock;
mod events;
mod faults;
mod gateway;
mod ground;
mod hosts;
pub mod model;
mod seams;
mod wire;

pub use axum::http;
pub use bytes::Bytes;
pub use call::{ApiError, Call, Caller, Reply};
pub use call_log::{CallLog, LoggedCall, Outcome};
pub use checked::checked;
pub use clock::Clock;
pub use events::{Event, EventBus};
pub use faults::{BadFault, Effect, Fault, Faults};
pub use gateway::{BoundGateway, ChangeBatchErrors, Controls, Gateway};
pub use ground::{Ground, Rule};
pub use hosts::Hosts;
pub use seams::{AllowAll, Authorize, Deliver, NoAnswer, RawAnswer, RawService, ReadSecret, Service};
pub use wire::{ErrorForm, denial_code, error_answer, throttling_code};

/// The account that every ARN of the stand-in names.
pub const ACCOUNT: &str = "111122223333";
/// The Region that every ARN of the stand-in names.
pub const REGION: &str = "eu-west-1";

/// A future that a trait object can return.
pub type BoxFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;
