//! The contract between the state machine and the steps: every input, output and error word. No I/O.
//!
//! Unknown fields are refused everywhere. That is safe because an execution calls published function versions, so a
//! run ends on the code that it began with. What travels is small: ids, counts, verdicts; of a secret only its name,
//! of a schema never its DDL, and no list without a bound (Step Functions carries 256 KiB at most).

mod approval;
mod clients;
mod cutover;
pub mod data_types;
mod engine;
mod error;
mod findings;
mod forecast;
mod names;
mod phase;
pub mod prices;
mod redact;
pub mod replication_size;
mod request;
mod run;
pub mod steps;
mod window;

pub use approval::{Approval, OnRejectedCutover};
pub use clients::{ClientSecret, Clients, Hook};
pub use cutover::{Cutover, Generation, Outcome};
pub use engine::{CopyEngine, CopyRequest, CopySettings, EngineChoice, EngineTraits};
pub use error::ErrorCode;
pub use findings::{EngineFindings, Finding, Findings, Severity};
pub use forecast::{ExpectedOutage, Forecast, ForecastPart};
pub use names::Names;
pub use phase::Phase;
pub use redact::redact;
pub use request::{
    Choices, CutoverSettings, DmsNetwork, DmsSettings, FailBack, KeylessTables, Limits, MaxOutage, Mode, Network,
    ReadReplicas, Record, RunRequest, Source, SwitchRecord, Target, UncomparedTables,
};
pub use run::{Purpose, Run, RunId, RunIdError, Server};
pub use window::{Day, Window};
