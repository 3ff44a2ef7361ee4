//! The outage that clients that write through the record will see, and its parts, on an idle system.

use pgleap_contract::steps::{OutagePart, PlanRunInput, PlannedOutage, PlannedSwitch};
use pgleap_contract::{CopyEngine, Finding, Forecast, SwitchRecord};
use pgleap_forecast::{Measured, Step, too_long};

use crate::delays;
use crate::rates::Rates;

const TOO_LONG: &str = "outage-too-long";
/// An upper bound is so many times what is expected of a step.
const MARGIN: f64 = 2.5;

/// The forecast for each time at which the record may be switched.
pub(crate) type Forecasts = Vec<(SwitchRecord, Forecast)>;

/// With `auto`, the run decides later, and `withDrain` is what it falls back to.
pub(crate) fn forecasts(input: &PlanRunInput, rates: &Rates) -> Forecasts {
    let possible = match input.run.cutover.switch_record {
        SwitchRecord::Auto => vec![SwitchRecord::WithDrain, SwitchRecord::BeforeFence],
        chosen => vec![chosen],
    };
    let measured = measured(input, rates);
    possible.into_iter().map(|switch| (switch, pgleap_forecast::forecast(&measured, switch))).collect()
}

/// The size of the data has no part in it, the number of sequences has.
fn measured(input: &PlanRunInput, rates: &Rates) -> Measured {
    let step = |what: &'static str, milliseconds: f64| Step { what, milliseconds, at_most: milliseconds * MARGIN };
    let drain = match input.run.copy.engine {
        CopyEngine::Native => rates.native_drain_milliseconds,
        _ => rates.drain_milliseconds,
    };
    let thousands = input.size.sequences as f64 / 1_000.0;
    Measured {
        steps: vec![
            step("fence: revoke CONNECT, end sessions, verify both", rates.fence_milliseconds),
            step("drain: apply the last changes, shut the copy engine out", drain),
            step("completion: sequences, constraints, triggers", rates.complete_milliseconds * (1.0 + thousands)),
            step("function calls between the four steps", 4.0 * rates.call_milliseconds),
        ],
        propagation: rates.propagation_milliseconds,
        // A TTL is the clients' own time: no delay of AWS's.
        ttl: f64::from(input.run.record.cutover_ttl_seconds) * 1_000.0,
        reconnect: rates.reconnect_milliseconds,
    }
}

/// For clients that are connected, by the first of the forecasts.
pub(crate) fn expect(input: &PlanRunInput, rates: &Rates, forecasts: &Forecasts) -> PlannedOutage {
    let part = |what: &str, milliseconds: f64| OutagePart { what: what.to_owned(), milliseconds };
    let mut parts = Vec::new();
    if let Some((switch, forecast)) = forecasts.first() {
        parts.extend(forecast.parts.iter().map(|step| part(&step.what, step.milliseconds)));
        if *switch == SwitchRecord::WithDrain {
            let rest = (forecast.record.milliseconds - forecast.steps.milliseconds).max(0.0);
            parts.push(part("until the client's name server has the change of the record", rest));
        }
        parts.push(part("clients reconnect", rates.reconnect_milliseconds));
    }
    let switches = forecasts.iter().map(|(record, forecast)| PlannedSwitch {
        record: *record,
        connected: forecast.connected,
        new: forecast.new,
    });
    PlannedOutage {
        milliseconds: parts.iter().map(|part| part.milliseconds).sum(),
        parts,
        switches: switches.collect(),
        deadline_seconds: input.run.limits.cutover_seconds,
        reboot_seconds: (!input.load.logical).then_some(delays::REBOOT_OUTAGE * rates.delay_scale),
    }
}

/// How long the phase takes until the target is open, in seconds.
pub(crate) fn seconds_of_cutover(forecasts: &Forecasts) -> f64 {
    let of = |(switch, forecast): &(SwitchRecord, Forecast)| match switch {
        SwitchRecord::BeforeFence => forecast.record.at_most_milliseconds + forecast.steps.milliseconds,
        _ => forecast.steps.milliseconds,
    };
    forecasts.first().map_or(0.0, of) / 1_000.0
}

/// A limit that is exceeded even on an idle system, whenever the record is switched.
pub(crate) fn limit(input: &PlanRunInput, forecasts: &Forecasts) -> Option<Finding> {
    let limits = &input.run.limits.max_outage_seconds;
    let broken = |(switch, forecast): &(SwitchRecord, Forecast)| Some((*switch, too_long(forecast, limits, *switch)?));
    let found = forecasts.iter().map(broken).collect::<Option<Vec<_>>>()?;
    let (switch, found) = found.into_iter().last()?;
    let remedy = match switch {
        SwitchRecord::BeforeFence => "raise the limit",
        _ => {
            "raise the limit, or set cutover.switchRecord to beforeFence, so that connected clients do not wait for DNS"
        }
    };
    Some(Finding::blocker(TOO_LONG, format!("even without load, {}", found.reason), remedy))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::input;
    use pgleap_contract::MaxOutage;

    fn outage(input: &PlanRunInput) -> PlannedOutage {
        let rates = Rates::default();
        expect(input, &rates, &forecasts(input, &rates))
    }

    fn with(switch: SwitchRecord) -> PlanRunInput {
        let mut input = input();
        input.run.cutover.switch_record = switch;
        input
    }

    #[test]
    fn a_reboot_is_an_interruption_of_its_own_and_only_where_it_is_needed() {
        let mut ready = input();
        ready.load.logical = true;

        assert!(outage(&input()).reboot_seconds.is_some_and(|seconds| seconds > 0.0));
        assert_eq!(outage(&ready).reboot_seconds, None);
    }

    #[test]
    fn the_record_is_a_part_of_the_outage_unless_it_changes_first() {
        let (before, with_drain) = (outage(&with(SwitchRecord::BeforeFence)), outage(&with(SwitchRecord::WithDrain)));

        assert!(before.milliseconds < 6_000.0, "{before:?}");
        assert!(with_drain.milliseconds > 30_000.0, "half a minute until a name server has it: {with_drain:?}");
        assert_eq!(outage(&input()).switches.len(), 2, "auto decides later");
        assert_eq!(outage(&input()).milliseconds, with_drain.milliseconds);
    }

    #[test]
    fn many_sequences_make_it_longer() {
        let mut many = with(SwitchRecord::BeforeFence);
        many.size.sequences = 50_000;

        assert!(outage(&many).milliseconds > outage(&with(SwitchRecord::BeforeFence)).milliseconds);
    }

    #[test]
    fn a_limit_that_an_idle_system_exceeds_is_a_blocker() {
        let found = |switch, connected, new| {
            let mut input = with(switch);
            input.run.limits.max_outage_seconds = MaxOutage { connected, new };
            limit(&input, &forecasts(&input, &Rates::default())).map(|finding| finding.found)
        };

        assert_eq!(found(SwitchRecord::WithDrain, None, None), None);
        let dns = found(SwitchRecord::WithDrain, Some(20.0), None).expect("DNS alone takes longer");
        assert!(dns.contains("the change of the record"), "{dns}");
        assert_eq!(found(SwitchRecord::Auto, Some(20.0), None), None, "the record may change first");
        assert!(found(SwitchRecord::Auto, Some(20.0), Some(20.0)).is_some());
        assert!(found(SwitchRecord::BeforeFence, Some(1.0), None).expect("a step").contains("drain"));
    }
}
