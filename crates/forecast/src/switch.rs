//! When the record is switched, and what to do if the clients do not wait for it.

use pgleap_contract::{Forecast, SwitchRecord};

/// New connections a minute above which `auto` does not refuse them for a change of the record.
const MOST_NEW_PER_MINUTE: f64 = 30.0;
/// Share of the sessions that must be left while the record changes. Below it the clients have moved by themselves.
const KEPT_SHARE: f64 = 0.5;

/// The applications' sessions on the source, as they were observed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Clients {
    /// Sessions that are open.
    pub connected: u64,
    /// Of these, older than a change of the record takes.
    pub old: u64,
    /// Sessions that are opened per minute; none if the server does not count them.
    pub new_per_minute: Option<f64>,
}

/// What `auto` takes, and why, in words for people.
pub fn decide(wanted: SwitchRecord, clients: Option<Clients>, propagation: Option<f64>) -> (SwitchRecord, String) {
    let with_drain = |reason: String| (SwitchRecord::WithDrain, reason);
    match (wanted, clients, propagation) {
        (SwitchRecord::BeforeFence | SwitchRecord::WithDrain, ..) => (wanted, "the input says so".to_owned()),
        (SwitchRecord::Auto, _, None) => {
            with_drain("the time that a change of the record takes was not measured".to_owned())
        }
        (SwitchRecord::Auto, None, _) => with_drain("the clients were not observed".to_owned()),
        (SwitchRecord::Auto, Some(clients), Some(propagation)) => of_clients(clients, propagation),
    }
}

fn of_clients(clients: Clients, propagation: f64) -> (SwitchRecord, String) {
    let with_drain = |reason: String| (SwitchRecord::WithDrain, reason);
    let Some(new) = clients.new_per_minute else {
        return with_drain("this version of PostgreSQL does not count new connections".to_owned());
    };
    if clients.connected == 0 {
        return with_drain("no client is connected".to_owned());
    }
    if new > MOST_NEW_PER_MINUTE {
        return with_drain(format!("clients open {new:.0} new connections a minute, which would be refused"));
    }
    if (clients.old as f64) < clients.connected as f64 * KEPT_SHARE {
        return with_drain(format!(
            "only {} of {} sessions are older than a change of the record takes",
            clients.old, clients.connected
        ));
    }
    let reason = format!(
        "{} sessions stay open while the record changes, which takes about {:.0} s; clients open {new:.0} new connections \
         a minute",
        clients.old,
        propagation / 1_000.0
    );
    (SwitchRecord::BeforeFence, reason)
}

/// What is left of the sessions while the record changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// Enough of them.
    Kept,
    /// Most clients are gone from the source: it is best to fence at once.
    Fence,
    /// Most clients are gone from the source: it is best to put the record back.
    PutBack,
}

/// Clients that lost their session reconnect by the record's name. Going on takes the rest of the change and the steps;
/// going back takes a change of the record from its beginning.
pub fn when_lost(before: u64, kept: u64, restarted: bool, elapsed: f64, forecast: &Forecast) -> Lost {
    let are_gone = before > 0 && (kept as f64) < before as f64 * KEPT_SHARE;
    if !are_gone && !restarted {
        return Lost::Kept;
    }
    let forward = (forecast.record.at_most_milliseconds - elapsed).max(forecast.steps.at_most_milliseconds);
    if forward <= forecast.record.at_most_milliseconds { Lost::Fence } else { Lost::PutBack }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pgleap_contract::ExpectedOutage;

    const SEEN: Clients = Clients { connected: 100, old: 90, new_per_minute: Some(3.0) };

    #[test]
    fn the_record_is_switched_first_only_where_the_measurements_speak_for_it() {
        let busy = Clients { new_per_minute: Some(31.0), ..SEEN };
        let cases = [
            (Some(SEEN), Some(20_000.0), SwitchRecord::BeforeFence, "90 sessions stay open"),
            (None, Some(20_000.0), SwitchRecord::WithDrain, "not observed"),
            (Some(SEEN), None, SwitchRecord::WithDrain, "not measured"),
            (Some(busy), Some(20_000.0), SwitchRecord::WithDrain, "31 new connections a minute"),
            (Some(Clients { old: 49, ..SEEN }), Some(20_000.0), SwitchRecord::WithDrain, "only 49 of 100"),
            (Some(Clients { old: 50, ..SEEN }), Some(20_000.0), SwitchRecord::BeforeFence, "50 sessions"),
            (Some(Clients { connected: 0, old: 0, ..SEEN }), Some(1.0), SwitchRecord::WithDrain, "no client"),
            (Some(Clients { new_per_minute: None, ..SEEN }), Some(1.0), SwitchRecord::WithDrain, "does not count"),
        ];
        for (clients, propagation, expected, words) in cases {
            let (decided, reason) = decide(SwitchRecord::Auto, clients, propagation);

            assert_eq!(decided, expected, "{clients:?}");
            assert!(reason.contains(words), "{reason}");
        }
    }

    #[test]
    fn what_the_input_says_needs_no_measurement() {
        for wanted in [SwitchRecord::BeforeFence, SwitchRecord::WithDrain] {
            assert_eq!(decide(wanted, None, None).0, wanted);
        }
    }

    #[test]
    fn clients_that_leave_are_followed_by_the_shorter_way() {
        let outage = |milliseconds: f64| ExpectedOutage { milliseconds, at_most_milliseconds: milliseconds };
        let forecast = |steps: f64, record: f64| Forecast {
            connected: outage(steps),
            new: outage(record),
            steps: outage(steps),
            record: outage(record),
            parts: vec![],
        };
        let cases = [
            (10, 10, false, forecast(1_000.0, 30_000.0), Lost::Kept),
            (10, 5, false, forecast(1_000.0, 30_000.0), Lost::Kept),
            (10, 4, false, forecast(1_000.0, 30_000.0), Lost::Fence),
            (0, 0, false, forecast(1_000.0, 30_000.0), Lost::Kept),
            (0, 0, true, forecast(1_000.0, 30_000.0), Lost::Fence),
            (10, 4, false, forecast(31_000.0, 30_000.0), Lost::PutBack),
            (10, 10, true, forecast(31_000.0, 30_000.0), Lost::PutBack),
        ];
        for (before, kept, restarted, forecast, expected) in cases {
            assert_eq!(when_lost(before, kept, restarted, 5_000.0, &forecast), expected, "{before} {kept} {restarted}");
        }
    }
}
