//! What one run of one way was seen to do.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::figures::percentile;
use super::machine::Machine;
use super::way::Way;

/// What every way has in common.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Parameters {
    /// Size of the built-in source.
    pub(super) megabytes: u32,
    /// Transactions per second of all connected clients.
    pub(super) tps: u32,
    /// Clients that open a connection for every transaction.
    pub(super) visitors: u32,
    /// Seconds, or `realistic`.
    pub(super) propagation: String,
}

/// One run, in a file of its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Trial {
    pub(super) way: Way,
    pub(super) run: u32,
    pub(super) commit: String,
    /// The day, in UTC.
    pub(super) began_at: String,
    pub(super) parameters: Parameters,
    pub(super) machine: Machine,
    #[serde(flatten)]
    pub(super) measured: Measured,
}

/// What the clients saw.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Measured {
    /// Outage of each client that keeps its connection.
    pub(super) connected_seconds: Vec<f64>,
    /// Outage of each client that opens a connection for every transaction.
    pub(super) visiting_seconds: Vec<f64>,
    /// The longest gap of one client that is not the switch: the restart of the source.
    pub(super) other_gap_seconds: Option<f64>,
    /// Acknowledged transactions.
    pub(super) acknowledged: u64,
    /// Rows that were acknowledged and are missing, stale or back.
    pub(super) lost: u64,
    /// Surplus copies of rows.
    pub(super) duplicated: u64,
    /// What must hold whatever was written, and does not.
    pub(super) broken_invariants: Vec<String>,
    /// Errors that no maintenance explains, with how often clients saw them.
    pub(super) faults: BTreeMap<String, u64>,
    /// Connections refused for want of CONNECT.
    pub(super) refusals: u64,
    /// Attempts to connect or to write that failed for any reason; faults and refusals are among them.
    pub(super) failed_attempts: u64,
    /// From the first command to the last.
    pub(super) seconds: f64,
    /// How long the rehearsal's own observer held the cutover up; it is a part of the outage.
    #[serde(default)]
    pub(super) observer_seconds: f64,
    /// What a reader should know.
    pub(super) notes: Vec<String>,
}

/// A trigger for replicas may well fire on one. A rehearsal of pgleap watches it because a run sets it aside.
const NOT_COMPARED: &str = "no trigger fired that was disabled or for replicas only";

/// Whether it counts that this invariant does not hold.
pub(super) fn is_compared(invariant: &str) -> bool {
    invariant != NOT_COMPARED
}

impl Measured {
    /// How many errors that no maintenance explains.
    pub(super) fn fault_count(&self) -> u64 {
        self.faults.values().sum()
    }
}

impl Trial {
    /// For the screen.
    pub(super) fn line(&self) -> String {
        let measured = &self.measured;
        let p50 = |seconds: &[f64]| percentile(seconds, 50).map_or("-".to_owned(), |seconds| format!("{seconds:.2} s"));
        let broken = measured.broken_invariants.iter().map(|name| format!("; broken: {name}"));
        let notes = measured.notes.iter().map(|note| format!("; {note}")).chain(broken);
        format!(
            "outage p50 {} connected, {} visiting; {} rows lost, {} duplicated, {} faults, {} failed attempts; {:.0} s{}",
            p50(&measured.connected_seconds),
            p50(&measured.visiting_seconds),
            measured.lost,
            measured.duplicated,
            measured.fault_count(),
            measured.failed_attempts,
            measured.seconds,
            notes.collect::<String>()
        )
    }
}
