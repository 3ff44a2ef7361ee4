//! What only the whole picture shows, and what no check can see.

use pgleap_contract::Finding;
use pgleap_contract::steps::{PlanRunInput, PlannedPhase};

const STORAGE: &str = "storage-for-wal";

/// From the making of the slot until DMS has caught up, the source keeps its WAL.
const KEEPS_WAL: &[&str] = &["load", "rebuild indexes and statistics", "catch up and verify"];

/// Storage that is left after the databases, against the WAL that is kept meanwhile; with a tenth to spare.
pub(crate) fn warnings(input: &PlanRunInput, phases: &[PlannedPhase]) -> Vec<Finding> {
    let Some(shape) = &input.shape else { return Vec::new() };
    let seconds: f64 =
        phases.iter().filter(|phase| KEEPS_WAL.contains(&phase.name.as_str())).map(|phase| phase.seconds).sum();
    let kept = seconds * input.load.wal_bytes_per_second as f64;
    let free = f64::from(shape.storage_gib) * f64::from(1 << 30) * 0.9 - input.size.bytes as f64;
    if kept <= free {
        return Vec::new();
    }
    let gib = |bytes: f64| (bytes / f64::from(1 << 30)).ceil();
    let found = format!(
        "the source would keep about {} GiB of WAL until the copy has caught up, and has about {} GiB left of {} GiB (logs and other \
         databases not counted)",
        gib(kept),
        gib(free.max(0.0)),
        shape.storage_gib
    );
    vec![Finding::warning(STORAGE, found, "grow the source's storage first, or run at a quieter time")]
}

/// Standing notes: true of every run, so they are no findings.
pub(crate) fn notes(input: &PlanRunInput) -> Vec<String> {
    let single = input.shape.as_ref().is_some_and(|shape| !shape.multi_az);
    let mut notes = Vec::new();
    if single {
        notes.push("the source has one zone: writes pause for a moment when the snapshot begins".to_owned());
    }
    notes.extend(
        [
            "no server sees by which name a client came: clients of the instance's own endpoint do not move",
            "clients with sslmode=verify-full cannot follow the record: the certificate names the instance's endpoint",
            "an RDS Proxy, alarms, event subscriptions and code that name the instance stay with the source",
            "an update that changes a primary key does not arrive (AWS DMS); the comparison of rows would show it and stop the run",
            "free storage is known to CloudWatch alone; what is said of it here is allocated storage less the database",
            "every figure is an estimate by assumed rates (rates in the input) and a dated table of prices",
        ]
        .map(str::to_owned),
    );
    notes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{GIB, input};

    #[test]
    fn too_little_storage_for_the_wal_of_the_load_is_found() {
        let mut busy = input();
        busy.load.wal_bytes_per_second = 50_000_000;

        assert_eq!(warnings(&input(), &crate::plan(&input()).phases), []);
        let found = warnings(&busy, &crate::plan(&busy).phases);
        assert_eq!(found.first().map(|finding| finding.check.as_str()), Some(STORAGE));
        busy.size.bytes = 400 * GIB;
        assert!(warnings(&busy, &crate::plan(&busy).phases)[0].found.contains("about 0 GiB left"));
    }
}
