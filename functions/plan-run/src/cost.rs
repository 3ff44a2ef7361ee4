//! What a run would cost: the target and the DMS replication instance for as long as they exist, and small items.

use pgleap_contract::steps::{Cost, PlanRunInput, PlannedPhase};
use pgleap_contract::{CopyEngine, replication_size};
use pgleap_prices::{Amounts, Replication};

use crate::rates::Rates;

const BASIS: &str =
    "estimate: hours from the plan's phases, state transitions and function calls from its waits; list prices";
const GIB: f64 = 1_073_741_824.0;
/// A call of a function, most of it waiting for a database or an API; what the largest functions have of memory.
const SECONDS_A_CALL: f64 = 0.5;
const GIGABYTES: f64 = 0.25;
/// Choices, warm-ups and ends, beside the steps and their looks.
const OTHER_TRANSITIONS: f64 = 40.0;

/// For the length of the run; whoever keeps the source after it pays for both.
pub(crate) fn estimate(input: &PlanRunInput, rates: &Rates, phases: &[PlannedPhase]) -> Cost {
    let since = |name: &str| {
        let from = phases.iter().position(|phase| phase.name == name).unwrap_or(0);
        phases[from..].iter().map(|phase| phase.seconds).sum::<f64>() / 3_600.0
    };
    let shape = input.shape.as_ref();
    let scale = rates.delay_scale.max(0.001); // the machine's waits are scaled like AWS's delays
    let calls: f64 = phases.iter().map(|phase| phase.steps.len() as f64 + looks(phase, scale)).sum();
    pgleap_prices::cost(&Amounts {
        basis: BASIS,
        target_class: shape.map(|shape| shape.class.as_str()),
        multi_az: shape.is_some_and(|shape| shape.multi_az),
        target_hours: since("copy the instance"),
        target_gib: shape.map_or(0.0, |shape| f64::from(shape.storage_gib)),
        snapshot_gib: input.size.bytes as f64 / GIB,
        replication: (input.run.copy.engine == CopyEngine::Dms).then(|| Replication {
            class: crate::dms::class(input),
            hours: since("prepare the source"),
            gib: f64::from(replication_size::storage_gib(&input.size)),
        }),
        transitions: (calls + OTHER_TRANSITIONS) as u64,
        invocations: calls as u64,
        gigabyte_seconds: calls * SECONDS_A_CALL * GIGABYTES,
    })
}

/// How often the machine looks while a phase lasts: every 5 s, then less and less often.
fn looks(phase: &PlannedPhase, scale: f64) -> f64 {
    let seconds = phase.seconds / scale;
    let (mut waited, mut pause, mut looks) = (0.0, 5.0_f64, 0.0);
    while waited < seconds {
        waited += pause;
        pause = (pause * 1.3).min(120.0);
        looks += 1.0;
    }
    looks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::input;

    #[test]
    fn a_class_without_a_price_is_named_and_not_guessed() {
        let (mut unknown, rates) = (input(), Rates::default());
        unknown.run.copy.dms.instance_class = Some("dms.z9.large".to_owned());

        let cost = estimate(&unknown, &rates, &crate::plan(&unknown, &rates).phases);

        assert!(cost.unpriced.iter().any(|what| what.contains("dms.z9.large")), "{cost:?}");
        assert!(cost.parts.iter().any(|part| part.what.starts_with("target: ")), "{cost:?}");
    }

    #[test]
    fn dms_target_storage_functions_and_machine_are_all_in_it() {
        let parts = crate::plan(&input(), &Rates::default()).cost.parts;

        for what in ["target: ", "DMS replication instance: ", "storage of the target", "Step Functions: ", "Lambda: "]
        {
            assert!(parts.iter().any(|part| part.what.starts_with(what) && part.usd > 0.0), "{what}: {parts:?}");
        }
    }

    #[test]
    fn a_longer_phase_is_looked_at_more_often_but_not_for_ever() {
        let phase = |seconds| PlannedPhase { name: String::new(), seconds, delay_seconds: 0.0, steps: Vec::new() };

        let (minute, day) = (looks(&phase(60.0), 1.0), looks(&phase(86_400.0), 1.0));

        assert!(minute > 3.0 && day > 10.0 * minute && day < 1_000.0, "{minute} {day}");
    }
}
