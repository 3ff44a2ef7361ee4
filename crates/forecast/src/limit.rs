//! The outage that is forecast against the one that the operator accepts.

use pgleap_contract::{Forecast, MaxOutage, SwitchRecord};

/// A forecast above the limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TooLong {
    /// Which limit, which forecast, which part of it is the longest; for people.
    pub reason: String,
    /// Waiting does not make it shorter: the record's own part is too long.
    pub is_final: bool,
}

/// The first limit that the forecast exceeds, if it exceeds one.
pub fn too_long(forecast: &Forecast, limits: &MaxOutage, switch: SwitchRecord) -> Option<TooLong> {
    let of_record = forecast.record.at_most_milliseconds;
    let waits_for_record = switch != SwitchRecord::BeforeFence;
    let cases = [
        ("connected", "clients that are connected", limits.connected, forecast.connected, waits_for_record),
        ("new", "clients that open a connection", limits.new, forecast.new, true),
    ];
    cases.into_iter().find_map(|(name, who, limit, outage, waits_for_record)| {
        let limit = limit? * 1_000.0;
        if outage.at_most_milliseconds <= limit {
            return None;
        }
        let (part, milliseconds) = longest(forecast, waits_for_record);
        let reason = format!(
            "the forecast of the outage for {who} is {:.1} s (at most {:.1} s), and limits.maxOutageSeconds.{name} is {:.1} s; \
             the longest part is {part}, at most {:.1} s",
            outage.milliseconds / 1_000.0,
            outage.at_most_milliseconds / 1_000.0,
            limit / 1_000.0,
            milliseconds / 1_000.0
        );
        Some(TooLong { reason, is_final: waits_for_record && of_record > limit })
    })
}

fn longest(forecast: &Forecast, with_record: bool) -> (&str, f64) {
    let steps = forecast.parts.iter().map(|part| (part.what.as_str(), part.at_most_milliseconds));
    let record = ("the change of the record until every name server has it", forecast.record.at_most_milliseconds);
    let all = steps.chain(with_record.then_some(record));
    all.max_by(|one, other| one.1.total_cmp(&other.1)).unwrap_or(("the reconnection of the clients", 0.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Measured, Step, forecast};

    fn measured(drain: f64, propagation: f64) -> Measured {
        Measured {
            steps: vec![
                Step { what: "the fence", milliseconds: 100.0, at_most: 200.0 },
                Step { what: "the drain", milliseconds: drain, at_most: drain * 2.0 },
            ],
            propagation,
            ttl: 1_000.0,
            reconnect: 250.0,
        }
    }

    #[test]
    fn a_forecast_above_a_limit_names_its_longest_part_and_whether_waiting_helps() {
        use SwitchRecord::{BeforeFence, WithDrain};
        let limits = |connected, new| MaxOutage { connected, new };
        let cases = [
            (limits(None, None), 9_000.0, 60_000.0, WithDrain, None),
            (limits(Some(2.0), None), 400.0, 60_000.0, BeforeFence, None),
            (limits(Some(2.0), None), 400.0, 60_000.0, WithDrain, Some(("change of the record", true))),
            (limits(Some(2.0), None), 4_000.0, 60_000.0, BeforeFence, Some(("the drain, at most 8.0 s", false))),
            (limits(Some(2.0), None), 4_000.0, 100.0, WithDrain, Some(("the drain, at most 8.0 s", false))),
            (limits(None, Some(30.0)), 400.0, 40_000.0, BeforeFence, Some(("Seconds.new is 30.0 s", true))),
            (limits(None, Some(30.0)), 400.0, 10_000.0, BeforeFence, None),
        ];
        for (limits, drain, propagation, switch, expected) in cases {
            let found = too_long(&forecast(&measured(drain, propagation), switch), &limits, switch);

            match (found, expected) {
                (None, None) => {}
                (Some(found), Some((words, is_final))) => {
                    assert!(found.reason.contains(words), "{}", found.reason);
                    assert_eq!(found.is_final, is_final, "{}", found.reason);
                }
                (found, expected) => {
                    panic!("{found:?}, expected {expected:?}: {limits:?} {drain} {propagation} {switch:?}")
                }
            }
        }
    }
}
