//! Plan the run: estimate how long each phase takes, what clients see, what the run creates, and what it costs.
//!
//! Changes:      nothing
//! Repeatable:   yes; the same findings give the same plan
//! If it dies:   nothing has happened
//!
//! Pure over what preflight saw. Every figure is an estimate by the rates of `rates`, the delays of `delays` and
//! the prices of `pgleap_contract::prices`; all three are assumptions until somebody measured them.

mod cost;
mod created;
mod delays;
mod dms;
mod engine;
mod fail_back;
mod native;
mod outage;
mod phases;
mod rates;
mod words;

use pgleap_contract::steps::{Plan, PlanRunInput, PlanRunOutput, PlannedEngine};
use pgleap_contract::{CopyEngine, Findings};
use pgleap_step_kit::prelude::*;

use crate::rates::Rates;

/// Choose the copy engine, if that is left to the run, and plan with it.
pub async fn run(_ctx: &Ctx, input: PlanRunInput) -> StepResult<PlanRunOutput> {
    Ok(choose(input, &Rates::from_environment()?))
}

/// The plans of all engines that may copy, the choice between them, and what was found that concerns the one chosen.
fn choose(mut input: PlanRunInput, rates: &Rates) -> PlanRunOutput {
    let plans: Vec<Plan> =
        input.run.copy.candidates().into_iter().map(|engine| plan(&with(&input, engine), rates)).collect();
    let planned: Vec<PlannedEngine> = plans.iter().map(|plan| engine::planned(&input, plan)).collect();
    let choice = engine::choose(&planned);
    let mut plan = plans.into_iter().find(|plan| plan.engine == choice.engine).unwrap_or_else(|| plan(&input, rates));
    plan.why = choice.why;
    if planned.len() > 1 {
        plan.engines = planned;
    }
    input.run.copy = input.run.copy.decided(choice.engine);
    PlanRunOutput {
        run: input.run,
        plan,
        instance: input.instance.with_engine(choice.engine),
        database: input.database.with_engine(choice.engine),
    }
}

fn with(input: &PlanRunInput, engine: CopyEngine) -> PlanRunInput {
    let mut input = input.clone();
    input.run.copy = input.run.copy.decided(engine);
    input
}

/// The plan, from what preflight saw.
fn plan(input: &PlanRunInput, rates: &Rates) -> Plan {
    let forecasts = outage::forecasts(input, rates);
    let outage = outage::expect(input, rates, &forecasts);
    let phases = phases::expect(input, rates, outage::seconds_of_cutover(&forecasts));
    let seconds = phases.iter().map(|phase| phase.seconds).sum();
    let creates = created::list(input);
    let cost = cost::estimate(input, rates, &phases);
    let findings = words::findings(input, &phases).into_iter().chain(outage::limit(input, &forecasts));
    let findings = findings.chain(fail_back::storage(input));
    let fail_back = fail_back::plan(input, &phases);
    let findings = Findings::collect(findings.collect());
    let notes = words::notes(input);
    let engine = input.run.copy.engine;
    let (why, engines) = (String::new(), Vec::new());
    Plan { phases, seconds, outage, creates, cost, findings, notes, engine, why, engines, fail_back }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use serde_json::json;

    pub(crate) const GIB: u64 = 1 << 30;

    /// A database of a hundred GiB, a quarter of them indexes.
    pub(crate) fn input() -> PlanRunInput {
        serde_json::from_value(json!({
            "run": {"id": "r", "executionArn": "arn", "mode": "plan", "copy": {}, "choices": {}, "limits": {},
                    "source": {"instance": "orders", "loginSecret": "s"},
                    "target": {"version": "18", "instance": "orders-v18"}, "record": {"zoneId": "Z", "name": "db.example.com"}},
            "shape": {"class": "db.m6g.large", "storageGib": 300, "multiAz": false, "backups": true, "ttlSeconds": 60},
            "way": {"from": "15.18", "hops": [{"version": "18.4", "family": "postgres18"}], "dmsEngineVersion": "3.6.1",
                    "subnetIds": [], "securityGroupIds": []},
            "size": {"tables": 200, "bytes": 100 * GIB, "sequences": 1_000},
            "load": {"indexBytes": 25 * GIB, "walBytesPerSecond": 1_000_000, "logical": false, "longest": []}
        }))
        .expect("an input")
    }

    #[test]
    fn a_larger_database_takes_longer_and_costs_more_and_its_clients_wait_as_long() {
        let small = plan(&input(), &Rates::default());
        let mut larger = input();
        larger.size.bytes *= 10;
        larger.load.index_bytes *= 10;
        let large = plan(&larger, &Rates::default());

        assert!(large.seconds > 5.0 * small.seconds, "{} {}", large.seconds, small.seconds);
        assert!(large.cost.usd > small.cost.usd);
        assert_eq!(large.outage.milliseconds, small.outage.milliseconds);
    }

    #[test]
    fn the_whole_is_the_sum_of_its_parts() {
        let plan = plan(&input(), &Rates::default());

        let parts: f64 = plan.outage.parts.iter().map(|part| part.milliseconds).sum();
        assert!((plan.outage.milliseconds - parts).abs() < 0.01);
        let usd: f64 = plan.cost.parts.iter().map(|part| part.usd).sum();
        assert!((plan.cost.usd - usd).abs() < 0.011, "{} {usd}", plan.cost.usd);
        assert!((plan.seconds - plan.phases.iter().map(|phase| phase.seconds).sum::<f64>()).abs() < 0.01);
    }

    #[test]
    fn without_a_way_or_an_instance_there_is_still_a_plan() {
        let mut blocked = input();
        blocked.way = None;
        blocked.shape = None;

        let plan = plan(&blocked, &Rates::default());

        assert!(plan.seconds > 0.0);
        assert!(plan.cost.unpriced.iter().any(|what| what.contains("target")), "{:?}", plan.cost);
    }
}
