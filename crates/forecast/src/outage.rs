//! From what was measured to what clients will see.

use pgleap_contract::{ExpectedOutage, Forecast, ForecastPart, SwitchRecord};

/// One of the steps between the first REVOKE and OPEN.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// What it does, for people.
    pub what: &'static str,
    /// Expected, in milliseconds.
    pub milliseconds: f64,
    /// Upper bound, in milliseconds.
    pub at_most: f64,
}

/// What the outage consists of.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// From the first REVOKE to OPEN.
    pub steps: Vec<Step>,
    /// Until every name server has a change of the record, in milliseconds.
    pub propagation: f64,
    /// How long an old answer lives in a cache at most, in milliseconds.
    pub ttl: f64,
    /// Until a client that was refused tries again, in milliseconds.
    pub reconnect: f64,
}

/// A name server that has a change is found after about half the time that the last one needs.
const TYPICAL_SHARE: f64 = 0.5;

/// What clients will see if the record is switched then. `Auto` counts as `WithDrain`.
pub fn forecast(measured: &Measured, switch: SwitchRecord) -> Forecast {
    let steps = ExpectedOutage {
        milliseconds: measured.steps.iter().map(|step| step.milliseconds).sum(),
        at_most_milliseconds: measured.steps.iter().map(|step| step.at_most).sum(),
    };
    let record = ExpectedOutage {
        milliseconds: measured.propagation * TYPICAL_SHARE + measured.ttl,
        at_most_milliseconds: measured.propagation + measured.ttl,
    };
    let (connected, new) = match switch {
        SwitchRecord::BeforeFence => (
            then_reconnect(steps, measured),
            // Refused from the first new answer: at the worst the fastest name server has it at once.
            then_reconnect(sum(record, steps), measured),
        ),
        SwitchRecord::WithDrain | SwitchRecord::Auto => {
            let both = then_reconnect(longer(steps, record), measured);
            (both, both)
        }
    };
    let parts = measured.steps.iter().map(|step| ForecastPart {
        what: step.what.to_owned(),
        milliseconds: step.milliseconds,
        at_most_milliseconds: step.at_most,
    });
    Forecast { connected, new, steps, record, parts: parts.collect() }
}

fn then_reconnect(outage: ExpectedOutage, measured: &Measured) -> ExpectedOutage {
    let reconnect = ExpectedOutage { milliseconds: measured.reconnect, at_most_milliseconds: measured.reconnect * 2.0 };
    sum(outage, reconnect)
}

fn sum(one: ExpectedOutage, other: ExpectedOutage) -> ExpectedOutage {
    ExpectedOutage {
        milliseconds: one.milliseconds + other.milliseconds,
        at_most_milliseconds: one.at_most_milliseconds + other.at_most_milliseconds,
    }
}

/// Of two things that happen at the same time.
fn longer(one: ExpectedOutage, other: ExpectedOutage) -> ExpectedOutage {
    ExpectedOutage {
        milliseconds: one.milliseconds.max(other.milliseconds),
        at_most_milliseconds: one.at_most_milliseconds.max(other.at_most_milliseconds),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured() -> Measured {
        Measured {
            steps: vec![
                Step { what: "fence", milliseconds: 100.0, at_most: 300.0 },
                Step { what: "drain", milliseconds: 400.0, at_most: 900.0 },
            ],
            propagation: 30_000.0,
            ttl: 1_000.0,
            reconnect: 250.0,
        }
    }

    #[test]
    fn connected_clients_wait_for_the_record_only_if_it_changes_behind_the_fence() {
        let before = forecast(&measured(), SwitchRecord::BeforeFence);
        let with = forecast(&measured(), SwitchRecord::WithDrain);

        assert_eq!(before.connected, ExpectedOutage { milliseconds: 750.0, at_most_milliseconds: 1_700.0 });
        assert_eq!(with.connected, ExpectedOutage { milliseconds: 16_250.0, at_most_milliseconds: 31_500.0 });
        assert_eq!(with.new, with.connected);
    }

    #[test]
    fn new_clients_pay_for_a_record_that_changes_first() {
        let before = forecast(&measured(), SwitchRecord::BeforeFence);

        assert_eq!(before.new, ExpectedOutage { milliseconds: 16_750.0, at_most_milliseconds: 32_700.0 });
        assert!(before.new.at_most_milliseconds > before.connected.at_most_milliseconds);
    }

    #[test]
    fn steps_that_take_longer_than_the_record_hide_it() {
        let quick = Measured { propagation: 100.0, ttl: 0.0, ..measured() };

        assert_eq!(forecast(&quick, SwitchRecord::WithDrain).connected.milliseconds, 750.0);
    }
}
