//! `prepare-publication`, `find-start`, `subscribe-target`, `catch-up`.

use serde::{Deserialize, Serialize};

use crate::{Run, Server};

/// Output of `find-start`: from where the copy must follow the source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FindStartOutput {
    /// Position in the source's WAL, as PostgreSQL prints it. The copy has every transaction whose commit ends at or before
    /// it, and no other.
    pub start: String,
    /// What named the position.
    pub witness: String,
    /// How many transactions both servers agree on.
    pub agreed: u64,
}

/// Input of `subscribe-target`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SubscribeTargetInput {
    /// The run.
    pub run: Run,
    /// The source's server.
    pub source: Server,
    /// The target's server.
    pub target: Server,
    /// From where the copy must follow, as `find-start` answered.
    pub start: String,
}

/// Input of `catch-up`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CatchUpInput {
    /// The run.
    pub run: Run,
    /// The source's server.
    pub source: Server,
    /// The target's server.
    pub target: Server,
    /// What the poll before saw; none at the first.
    pub earlier: Option<CatchUpReading>,
}

/// How far the subscription is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CatchUpReading {
    /// When, in seconds since 1970, by the source's clock.
    pub at: u64,
    /// WAL that the target has not confirmed, in bytes.
    pub lag_bytes: u64,
    /// WAL that the source keeps for the run, in bytes.
    pub retained_wal_bytes: u64,
    /// How fast the lag becomes smaller, in bytes a second; none at the first poll, or while it grows.
    pub bytes_per_second: Option<u64>,
    /// Until there is no lag, at that rate.
    pub seconds_left: Option<u64>,
    /// Process id of the target's apply worker; none if none ran for some seconds.
    pub worker: Option<i32>,
    /// Polls in a row at which there was no apply worker, or another one than at the poll before.
    pub worker_losses: u32,
}

/// Output of `catch-up`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CatchUpOutput {
    /// A row that was written now arrived within `limits.maxLagSeconds`.
    pub done: bool,
    /// How far it is.
    pub reading: CatchUpReading,
}
