//! What a plan's estimate goes by: one place for every rate, each an assumption until somebody measured it.

use serde::{Deserialize, Serialize};

/// Rates of work and delays of AWS. The defaults are assumptions for AWS: nobody has measured them there. Whoever has, from
/// the report of a run or of a rehearsal, gives their own in the input, and the plan goes by them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Rates {
    /// Factor on the delays that AWS takes whatever the size (`delays.rs` of plan-run). The rehearsal has a clock of its own.
    pub delay_scale: f64,
    /// Fixed work of a step that waits for nothing: a call, a login, a look.
    pub step_seconds: f64,
    /// Tables that preflight looks through a second.
    pub check_tables_per_second: f64,
    /// Starting, stopping and copying a server's files, beside AWS's delay: once for each.
    pub server_seconds: f64,
    /// Bytes of the database that `pg_upgrade` handles a second.
    pub upgrade_bytes_per_second: f64,
    /// Tables that `pg_upgrade` handles a second.
    pub upgrade_tables_per_second: f64,
    /// Bytes that a snapshot writes, and a restore reads, a second.
    pub snapshot_bytes_per_second: f64,
    /// Bytes of table that DMS loads a second, large values whole.
    pub load_bytes_per_second: f64,
    /// Tables that DMS begins and ends a second.
    pub load_tables_per_second: f64,
    /// Bytes of index that are built a second.
    pub index_bytes_per_second: f64,
    /// Bytes of table that the three stages of statistics get through a second.
    pub analyze_bytes_per_second: f64,
    /// Bytes of table that are compared a second, on both sides at once.
    pub verify_bytes_per_second: f64,
    /// From the first REVOKE to the proof that nobody writes, in milliseconds.
    pub fence_milliseconds: f64,
    /// From the proof to the marker's arrival and DMS's end, in milliseconds.
    pub drain_milliseconds: f64,
    /// What every completion takes, and each thousand sequences more, in milliseconds.
    pub complete_milliseconds: f64,
    /// A call's way through the machine, between two steps under the fence, in milliseconds.
    pub call_milliseconds: f64,
    /// Until a client that was refused has asked again, by the record's name, in milliseconds.
    pub reconnect_milliseconds: f64,
}

impl Default for Rates {
    fn default() -> Self {
        const MIB: f64 = 1_048_576.0;
        Self {
            delay_scale: 1.0,
            step_seconds: 1.0,
            check_tables_per_second: 1_000.0,
            server_seconds: 20.0,
            upgrade_bytes_per_second: 100.0 * MIB,
            upgrade_tables_per_second: 200.0,
            snapshot_bytes_per_second: 200.0 * MIB,
            load_bytes_per_second: 15.0 * MIB,
            load_tables_per_second: 20.0,
            index_bytes_per_second: 25.0 * MIB,
            analyze_bytes_per_second: 60.0 * MIB,
            verify_bytes_per_second: 60.0 * MIB,
            fence_milliseconds: 250.0,
            drain_milliseconds: 1_000.0,
            complete_milliseconds: 300.0,
            call_milliseconds: 80.0,
            reconnect_milliseconds: 1_000.0,
        }
    }
}
