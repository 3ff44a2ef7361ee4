//! The outage that clients that write through the record will see, and its parts.

use pgleap_contract::CopyEngine;
use pgleap_contract::steps::{OutagePart, PlanRunInput, PlannedOutage};

use crate::delays;
use crate::rates::Rates;

/// The part that comes after OPEN, when the steps are finished.
const AFTER_OPEN: &str = "clients resolve the record again and reconnect";

/// How long the steps of the cutover take, without what clients need afterwards.
pub(crate) fn seconds_of_steps(outage: &PlannedOutage) -> f64 {
    let of_steps = outage.parts.iter().filter(|part| part.what != AFTER_OPEN);
    of_steps.map(|part| part.milliseconds).sum::<f64>() / 1_000.0
}

/// The size of the data has no part in it, the number of sequences has.
pub(crate) fn expect(input: &PlanRunInput, rates: &Rates) -> PlannedOutage {
    let part = |what: &str, milliseconds: f64| OutagePart { what: what.to_owned(), milliseconds };
    let drain = match input.run.copy.engine {
        CopyEngine::Native => rates.native_drain_milliseconds,
        _ => rates.drain_milliseconds,
    };
    let thousands = input.size.sequences as f64 / 1_000.0;
    let parts = vec![
        part("fence: revoke CONNECT, end sessions, verify both", rates.fence_milliseconds),
        part("drain, and the swap of the record at the same time", drain),
        part("completion: sequences, constraints, triggers", rates.complete_milliseconds * (1.0 + thousands)),
        part("function calls between the four steps", 4.0 * rates.call_milliseconds),
        part(
            AFTER_OPEN,
            // A TTL is the clients' own time: no delay of AWS's.
            rates.reconnect_milliseconds.max(f64::from(input.run.record.cutover_ttl_seconds) * 1_000.0),
        ),
    ];
    PlannedOutage {
        milliseconds: parts.iter().map(|part| part.milliseconds).sum(),
        parts,
        deadline_seconds: input.run.limits.cutover_seconds,
        reboot_seconds: (!input.load.logical).then_some(delays::REBOOT_OUTAGE * rates.delay_scale),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::input;

    #[test]
    fn a_reboot_is_an_interruption_of_its_own_and_only_where_it_is_needed() {
        let mut ready = input();
        ready.load.logical = true;

        assert!(expect(&input(), &Rates::default()).reboot_seconds.is_some_and(|seconds| seconds > 0.0));
        assert_eq!(expect(&ready, &Rates::default()).reboot_seconds, None);
    }

    #[test]
    fn the_steps_are_through_before_the_clients_are() {
        let outage = expect(&input(), &Rates::default());

        let steps = seconds_of_steps(&outage);

        assert!(steps > 0.0 && steps + 1.0 <= outage.milliseconds / 1_000.0, "{steps} of {outage:?}");
    }

    #[test]
    fn many_sequences_make_it_longer() {
        let mut many = input();
        many.size.sequences = 50_000;

        assert!(expect(&many, &Rates::default()).milliseconds > expect(&input(), &Rates::default()).milliseconds);
    }
}
