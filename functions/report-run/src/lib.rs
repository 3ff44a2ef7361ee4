//! Report the run: what it took and what that costs, counted from its execution history.
//!
//! Changes:      nothing
//! Repeatable:   yes; a later call counts the calls before it too
//! If it dies:   nothing has happened
//!
//! Transitions, calls and seconds of functions are counted, hours are those between states. Prices are a dated table
//! (`pgleap_prices`), so the sum stays an estimate.

mod tally;

use std::time::{SystemTime, UNIX_EPOCH};

use pgleap_contract::steps::{Repair, ReportRunInput, RunReport};
use pgleap_contract::{CopyEngine, replication_size};
use pgleap_executions::Executions;
use pgleap_prices::{Amounts, Replication};
use pgleap_step_kit::prelude::*;

use crate::tally::Tally;

/// How the amounts were determined.
const BASIS: &str = "state transitions, function calls and their seconds counted from the run's history; hours between its states; \
                     list prices, so the total is an estimate";
const GIB: f64 = 1_073_741_824.0;

/// The report so far.
pub async fn run(ctx: &Ctx, input: ReportRunInput) -> StepResult<RunReport> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
    let mut tally = Tally::default();
    Executions::new(ctx).history(&input.run.execution_arn, |event| tally.take(event)).await?;
    Ok(report(&input, &tally, now))
}

fn report(input: &ReportRunInput, tally: &Tally, now: f64) -> RunReport {
    let transitions = tally.transitions() + 1; // the state that ends the execution
    let (target_hours, replication_hours) =
        (tally.target_seconds(now) / 3_600.0, tally.replication_seconds(now) / 3_600.0);
    let shape = input.shape.as_ref();
    let class = replication_size::class(input.run.copy.dms.instance_class.as_deref(), &input.size);
    let cost = pgleap_prices::cost(&Amounts {
        basis: BASIS,
        target_class: shape.map(|shape| shape.class.as_str()),
        multi_az: shape.is_some_and(|shape| shape.multi_az),
        target_hours,
        target_gib: shape.map_or(0.0, |shape| f64::from(shape.storage_gib)),
        snapshot_gib: input.size.bytes as f64 / GIB,
        replication: (input.run.copy.engine == CopyEngine::Dms).then(|| Replication {
            class: grown_to(&input.repairs).unwrap_or(class),
            hours: replication_hours,
            gib: f64::from(replication_size::storage_gib(&input.size)),
        }),
        transitions,
        invocations: tally.invocations(),
        gigabyte_seconds: tally.gigabyte_seconds(),
    });
    RunReport {
        transitions,
        invocations: tally.invocations(),
        function_seconds: tally.function_seconds(),
        gigabyte_seconds: tally.gigabyte_seconds(),
        target_hours,
        replication_hours,
        cost,
        unfinished: input.warnings.as_ref().map_or(0, |warnings| warnings.count),
        kept: input.kept.clone(),
    }
}

/// The class that the replication instance was given last, if it had to grow.
fn grown_to(repairs: &[Repair]) -> Option<&str> {
    repairs.iter().rev().map(|repair| repair.after.as_str()).find(|after| after.starts_with("dms."))
}

#[cfg(test)]
mod tests {
    use pgleap_contract::steps::RepairKind;
    use serde_json::json;

    use super::*;

    fn input() -> ReportRunInput {
        serde_json::from_value(json!({
            "run": {"id": "r", "executionArn": "arn", "mode": "upgrade", "copy": {}, "choices": {}, "limits": {},
                    "source": {"instance": "orders", "loginSecret": "s"},
                    "target": {"version": "18", "instance": "orders-v18"}, "record": {"zoneId": "Z", "name": "db.example.com"}},
            "shape": {"class": "db.m6g.large", "storageGib": 300, "multiAz": false, "backups": true, "ttlSeconds": 60},
            "size": {"tables": 200, "bytes": 1_u64 << 30, "sequences": 1}, "repairs": []
        }))
        .expect("an input")
    }

    #[test]
    fn a_run_that_made_nothing_cost_its_calls_alone() {
        let report = report(&input(), &Tally::default(), 7_200.0);

        assert_eq!((report.transitions, report.invocations, report.target_hours), (1, 0, 0.0));
        assert_eq!(report.cost.usd, 0.0);
    }

    #[test]
    fn an_instance_that_grew_costs_what_it_is() {
        let mut grown = input();
        grown.repairs.push(Repair {
            kind: RepairKind::OutOfMemory,
            tables: Vec::new(),
            before: "dms.t3.medium".to_owned(),
            after: "dms.r6i.large".to_owned(),
            seconds: 60,
            estimated_cost: None,
        });

        let cost = report(&grown, &Tally::default(), 0.0).cost;

        assert!(cost.parts.iter().any(|part| part.what.contains("dms.r6i.large")), "{cost:?}");
    }
}
