//! A copy by DMS in a plan: the delays of AWS that do not depend on the size of the database, what the run creates for it, and a note.
//! The delays are assumed, like those of `delays`.

use pgleap_contract::steps::{Created, PlanRunInput};
use pgleap_contract::{Phase, replication_size};

/// An instance.
const REPLICATION_INSTANCE: f64 = 600.0;
const CONNECTION_TESTS: f64 = 30.0;
const CREATE_TASK: f64 = 25.0;
/// A task's start, and its stop after the load.
const START_TASK: f64 = 60.0;

/// Of a phase, in seconds.
pub(crate) fn delay(phase: Phase) -> f64 {
    match phase {
        Phase::PrepareSource => REPLICATION_INSTANCE + CONNECTION_TESTS,
        Phase::PrepareTarget => CONNECTION_TESTS + CREATE_TASK,
        Phase::Load | Phase::CatchUp => START_TASK,
        _ => 0.0,
    }
}

/// In the order in which it is created.
pub(crate) fn created(input: &PlanRunInput) -> Vec<Created> {
    let names = input.run.names();
    let gone = |kind: &str, name: String, size: String| Created { kind: kind.to_owned(), name, size, stays: false };
    let instance = format!("{}, {} GiB", class(input), replication_size::storage_gib(&input.size));
    vec![
        gone("replication subnet group", names.replication_subnet_group(), String::new()),
        gone("replication instance", names.replication_instance(), instance),
        gone("endpoints", format!("{}, {}", names.source_endpoint(), names.target_endpoint()), "2".to_owned()),
        gone("replication task", names.task(), format!("{} tables", input.size.tables)),
    ]
}

/// Of the replication instance.
pub(crate) fn class(input: &PlanRunInput) -> &str {
    replication_size::class(input.run.copy.dms.instance_class.as_deref(), &input.size)
}

/// What no check can see.
pub(crate) const NOTE: &str = "AWS DMS does not carry an update that changes a primary key; the comparison of both sides finds such a row and stops the run";
