//! How much memory each step's function has: Lambda bills seconds times memory.

/// Steps and pages whose function has less than [`USUAL`]. As in the template; a test compares (`tests/contract/tests/cost.rs`).
const SMALL: &[&str] = &[
    "start-run",
    "plan-run",
    "report-run",
    "find-window",
    "ask-approval",
    "tell-people",
    "take-answer",
    "configure-source",
    "reboot-source",
    "snapshot-source",
    "restore-target",
    "watch-copy",
    "measure-lobs",
    "reload-tables",
    "compare-tables",
    "restore-lob-mode",
    "resume-replication",
    "lower-ttl",
    "arm-deadline",
    "swap-record",
    "resume-jobs",
    "find-servers",
    "restore-record",
    "remove-replication",
    "remove-resources",
];
const LITTLE: u32 = 128;
const USUAL: u32 = 256;

/// In megabytes.
pub fn memory_megabytes(step: &str) -> u32 {
    if SMALL.contains(&step) { LITTLE } else { USUAL }
}
