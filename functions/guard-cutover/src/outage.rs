//! The outage to expect, from what is measured at the gate.

use std::time::{Duration, Instant};

use pgleap_contract::steps::{GuardCutoverInput, GuardCutoverOutput};
use pgleap_contract::{Forecast, SwitchRecord};
use pgleap_forecast::{Measured, Step};
use pgleap_pg::{Session, clients};
use pgleap_step_kit::prelude::*;

/// Route 53 normally needs a minute at most for a change (developer guide); in milliseconds. Where nothing was measured.
const LONGEST_PROPAGATION: f64 = 60_000.0;
/// From the end of one step to the beginning of the next: Step Functions and Lambda, in milliseconds. Assumed.
const CALL: f64 = 40.0;
/// A login over TLS takes so many round trips, with what the server computes for it.
const LOGIN_TRIPS: f64 = 8.0;
/// Ending a session, and reading a sequence that the warm-up has set already, in milliseconds. Measured on one computer.
const PER_SESSION: f64 = 0.2;
const PER_SEQUENCE: f64 = 0.02;
/// Until a client that was refused tries again, in milliseconds. It is the client's own; drivers and pools wait so long.
const RECONNECT: f64 = 250.0;
/// An upper bound is so many times what is expected, for what is only round trips and calls.
const MARGIN: f64 = 2.5;

/// Measure the round trips and what there is to move.
pub(crate) async fn forecast(
    input: &GuardCutoverInput,
    source: &Session,
    target: &Session,
    lag: Duration,
    switch: SwitchRecord,
) -> StepResult<Forecast> {
    let seen = Seen {
        round_trip: round_trip(source).await?.max(round_trip(target).await?),
        lag: lag.as_secs_f64() * 1_000.0,
        sessions: clients::look(source, None).await?.connected as f64,
        sequences: sequences(source).await?,
    };
    let measured = Measured {
        steps: steps(&seen),
        propagation: input.propagation_milliseconds.map_or(LONGEST_PROPAGATION, |measured| measured as f64),
        ttl: f64::from(input.run.record.cutover_ttl_seconds) * 1_000.0,
        reconnect: RECONNECT,
    };
    Ok(pgleap_forecast::forecast(&measured, switch))
}

/// What is in the way if a forecast exceeds a limit that the operator set. What waiting does not improve ends the wait.
pub(crate) fn refuse_too_long(input: &GuardCutoverInput, expected: &GuardCutoverOutput) -> StepResult<Option<String>> {
    if input.outage_accepted {
        return Ok(None);
    }
    let limits = &input.run.limits.max_outage_seconds;
    match pgleap_forecast::too_long(&expected.forecast, limits, expected.switch.record) {
        Some(found) if found.is_final => Err(StepError::new(ErrorCode::OutageTooLong, found.reason)),
        found => Ok(found.map(|found| found.reason)),
    }
}

/// In milliseconds, and counts.
struct Seen {
    round_trip: f64,
    lag: f64,
    sessions: f64,
    sequences: f64,
}

fn steps(seen: &Seen) -> Vec<Step> {
    let login = seen.round_trip * LOGIN_TRIPS + CALL;
    let step = |what: &'static str, own: f64| {
        let milliseconds = login + own;
        Step { what, milliseconds, at_most: milliseconds * MARGIN }
    };
    vec![
        step("fence: revoke CONNECT, end sessions, verify both", seen.round_trip * 10.0 + seen.sessions * PER_SESSION),
        step("drain: apply the last changes, shut the copy engine out", seen.round_trip * 20.0 + seen.lag),
        step("completion: sequences, constraints, triggers", seen.round_trip * 10.0 + seen.sequences * PER_SEQUENCE),
        step("open the target", seen.round_trip * 5.0),
    ]
}

/// The median of a few, in milliseconds.
async fn round_trip(session: &Session) -> StepResult<f64> {
    let mut took = Vec::new();
    for _ in 0..5 {
        let began = Instant::now();
        session.row("measure a round trip", "SELECT 1", &[]).await?;
        took.push(began.elapsed().as_secs_f64() * 1_000.0);
    }
    took.sort_by(f64::total_cmp);
    Ok(took[took.len() / 2])
}

async fn sequences(source: &Session) -> StepResult<f64> {
    let sql = "SELECT count(*) FROM pg_class WHERE relkind = 'S'";
    Ok(source.row("count sequences", sql, &[]).await?.get::<_, i64>(0) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_there_is_to_move_makes_the_steps_longer() {
        let idle = Seen { round_trip: 1.0, lag: 20.0, sessions: 50.0, sequences: 100.0 };
        let total = |seen: &Seen| steps(seen).iter().map(|step| step.milliseconds).sum::<f64>();
        let expected = total(&idle);

        assert!((200.0..600.0).contains(&expected), "{expected}");
        for more in [
            Seen { round_trip: 10.0, ..idle },
            Seen { lag: 4_000.0, ..idle },
            Seen { sessions: 5_000.0, ..idle },
            Seen { sequences: 50_000.0, ..idle },
        ] {
            assert!(total(&more) > expected + 400.0, "{} {expected}", total(&more));
        }
    }
}
