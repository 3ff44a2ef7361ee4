//! The throughput and delays that a plan's estimates are based on, in one place. Each is an assumption until somebody has measured it.

use pgleap_step_kit::prelude::*;
use serde::Deserialize;

/// The variable of the function that changes some of them: a JSON object whose members are named as here, in camel case.
const VARIABLE: &str = "PGLEAP_RATES";

/// Throughput, and delays of AWS. The defaults are assumptions for AWS: nobody has measured them there. Whoever has, from
/// the report of a run, sets `PGLEAP_RATES`; a rehearsal sets those of its computer.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Rates {
    /// Factor on the delays that AWS takes whatever the size (`delays.rs` of plan-run). The rehearsal has a clock of its own.
    pub(crate) delay_scale: f64,
    /// Fixed work of a step that waits for nothing: a call, a login, a look.
    pub(crate) step_seconds: f64,
    /// Tables that preflight looks through a second.
    pub(crate) check_tables_per_second: f64,
    /// Starting, stopping and copying a server's files, beside AWS's delay: once for each.
    pub(crate) server_seconds: f64,
    /// Bytes of the database that `pg_upgrade` handles a second.
    pub(crate) upgrade_bytes_per_second: f64,
    /// Tables that `pg_upgrade` handles a second.
    pub(crate) upgrade_tables_per_second: f64,
    /// Bytes that a snapshot writes, and a restore reads, a second.
    pub(crate) snapshot_bytes_per_second: f64,
    /// Bytes of table that DMS loads a second, large values whole.
    pub(crate) load_bytes_per_second: f64,
    /// Tables that DMS begins and ends a second.
    pub(crate) load_tables_per_second: f64,
    /// Bytes of WAL that a subscription applies a second.
    pub(crate) apply_bytes_per_second: f64,
    /// Bytes of index that are built a second.
    pub(crate) index_bytes_per_second: f64,
    /// Bytes of table that the three stages of statistics get through a second.
    pub(crate) analyze_bytes_per_second: f64,
    /// Bytes of a restored volume that are read a second for the first time: they come from S3.
    pub(crate) warm_bytes_per_second: f64,
    /// Bytes of table that are compared a second, on both sides at once.
    pub(crate) verify_bytes_per_second: f64,
    /// From the first REVOKE to the proof that nobody writes, in milliseconds.
    pub(crate) fence_milliseconds: f64,
    /// From the proof to the marker's arrival and DMS's end, in milliseconds.
    pub(crate) drain_milliseconds: f64,
    /// The same of a subscription, which applies each transaction as it comes.
    pub(crate) native_drain_milliseconds: f64,
    /// What every completion takes, and each thousand sequences more, in milliseconds.
    pub(crate) complete_milliseconds: f64,
    /// A call's way through the machine, between two steps under the fence, in milliseconds.
    pub(crate) call_milliseconds: f64,
    /// Until every name server has a change of the record, in milliseconds.
    pub(crate) propagation_milliseconds: f64,
    /// Until a client that was refused has asked again, by the record's name, in milliseconds.
    pub(crate) reconnect_milliseconds: f64,
}

impl Rates {
    /// The defaults, replaced where the function's environment sets other values.
    pub(crate) fn from_environment() -> StepResult<Self> {
        match std::env::var(VARIABLE) {
            Ok(text) if !text.trim().is_empty() => Self::read(&text),
            _ => Ok(Self::default()),
        }
    }

    fn read(text: &str) -> StepResult<Self> {
        let refused = |reason: String| {
            StepError::new(ErrorCode::BadInput, format!("read {VARIABLE} of the function plan-run: {reason}"))
        };
        serde_json::from_str(text).map_err(|error| refused(error.to_string()))
    }
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
            apply_bytes_per_second: 20.0 * MIB,
            index_bytes_per_second: 25.0 * MIB,
            analyze_bytes_per_second: 60.0 * MIB,
            warm_bytes_per_second: 50.0 * MIB,
            verify_bytes_per_second: 60.0 * MIB,
            fence_milliseconds: 250.0,
            // DMS gathers changes for CommitTimeout, a second, and applies them then.
            drain_milliseconds: 3_000.0,
            native_drain_milliseconds: 300.0,
            complete_milliseconds: 300.0,
            call_milliseconds: 80.0,
            // "Normally within 60 seconds" (Route 53 developer guide).
            propagation_milliseconds: 60_000.0,
            reconnect_milliseconds: 1_000.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_that_is_given_replaces_its_default_and_no_other() {
        let rates = Rates::read(r#"{"delayScale": 0.5}"#).expect("rates");

        assert_eq!(rates, Rates { delay_scale: 0.5, ..Rates::default() });
        assert_eq!(Rates::read("{}").expect("rates"), Rates::default());
    }

    #[test]
    fn what_is_not_understood_is_refused_by_the_name_of_the_variable() {
        for (text, reason) in [
            (r#"{"speed": 1}"#, "unknown field `speed`"),
            (r#"{"delayScale": "fast"}"#, "invalid type: string"),
            ("fast", "expected"),
        ] {
            let error = Rates::read(text).expect_err(text);

            assert_eq!(error.code, ErrorCode::BadInput);
            assert!(error.message.starts_with("read PGLEAP_RATES of the function plan-run: "), "{error}");
            assert!(error.message.contains(reason), "{error}");
        }
    }
}
