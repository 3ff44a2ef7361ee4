//! When the record is switched, by what the clients do; and whether it leads to the target.

use std::time::Duration;

use pgleap_contract::SwitchRecord;
use pgleap_contract::steps::{GuardCutoverInput, SwitchDecision};
use pgleap_forecast::Clients;
use pgleap_pg::{Session, clients};
use pgleap_step_kit::prelude::*;

/// How long new connections are counted. The ages of the sessions say more about the time before.
const OBSERVED: Duration = Duration::from_secs(5);

/// Observe the clients if the decision needs it.
pub(crate) async fn decide(input: &GuardCutoverInput, source: &Session) -> StepResult<SwitchDecision> {
    if input.switched {
        return Ok(SwitchDecision { record: SwitchRecord::BeforeFence, reason: "the record is switched".to_owned() });
    }
    let propagation = input.propagation_milliseconds.map(|milliseconds| milliseconds as f64);
    let wanted = input.run.cutover.switch_record;
    let seen = match propagation {
        Some(propagation) if wanted == SwitchRecord::Auto => {
            let ttl = f64::from(input.run.record.cutover_ttl_seconds) * 1_000.0;
            Some(observe(source, propagation + ttl).await?)
        }
        _ => None,
    };
    let (record, reason) = pgleap_forecast::decide(wanted, seen, propagation);
    Ok(SwitchDecision { record, reason })
}

/// `change`: how long a change of the record takes, in milliseconds. Sessions that are older count as old.
async fn observe(source: &Session, change: f64) -> StepResult<Clients> {
    let first = clients::look(source, None).await?;
    tokio::time::sleep(OBSERVED).await;
    let last = clients::look(source, Some(first.at_epoch_ms - change as i64)).await?;
    Ok(Clients { connected: last.connected, old: last.old, new_per_minute: rate(&first, &last, change) })
}

/// The larger of two: what the server counted just now, and the young sessions that are still open.
fn rate(first: &clients::Look, last: &clients::Look, change: f64) -> Option<f64> {
    const MINUTE: f64 = 60_000.0;
    let opened = (last.opened? - first.opened?) as f64;
    let observed = (last.at_epoch_ms - first.at_epoch_ms) as f64;
    let young = last.connected.saturating_sub(last.old) as f64;
    Some((opened * MINUTE / observed).max(young * MINUTE / (observed + change)))
}

/// What is in the way if the functions' resolver does not lead to the target yet. Clients ask the same one.
pub(crate) async fn leads_elsewhere(ctx: &Ctx, input: &GuardCutoverInput) -> Option<String> {
    let name = &input.run.record.name;
    match tokio::try_join!(ctx.resolve(name), ctx.resolve(&input.target.host)) {
        Ok((record, target)) if record.iter().all(|address| target.contains(address)) => None,
        Ok((record, target)) => Some(format!("{name} still leads to {record:?}, and the target is at {target:?}")),
        Err(error) => Some(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_connections_are_counted_and_not_only_guessed_from_those_that_stay() {
        let look = |connected, old, opened, at_epoch_ms| clients::Look {
            connected,
            old,
            opened,
            at_epoch_ms,
            restarted: false,
        };
        let cases = [
            (look(10, 10, Some(100), 0), look(10, 10, Some(101), 5_000), Some(12.0)),
            (look(10, 0, Some(100), 0), look(10, 0, Some(100), 5_000), Some(20.0)),
            (look(10, 0, None, 0), look(10, 0, None, 5_000), None),
        ];
        for (first, last, expected) in cases {
            assert_eq!(rate(&first, &last, 25_000.0), expected);
        }
    }
}
