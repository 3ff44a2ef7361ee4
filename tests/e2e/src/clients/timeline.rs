//! When the clients could write, and where: the outage as they saw it.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds since the epoch: comparable with the times of an execution's history.
pub fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

/// First and last moment, in epoch seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Span {
    /// The first.
    pub first: f64,
    /// The last.
    pub last: f64,
}

/// What one client, or all of them together, saw.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Timeline {
    /// Acknowledged writes by the server that acknowledged them.
    pub acknowledged: HashMap<Ipv4Addr, Span>,
    /// First time that the name led to a server.
    pub resolved: HashMap<Ipv4Addr, f64>,
    /// First connection that a server accepted.
    pub connected: HashMap<Ipv4Addr, f64>,
    /// Longest time between two acknowledged writes on one server: its seconds and when it began.
    pub longest_gap: Option<(f64, f64)>,
    /// The server that acknowledged last, and when.
    latest: Option<(Ipv4Addr, f64)>,
}

impl Timeline {
    /// A write was acknowledged by this server.
    pub fn acknowledge(&mut self, server: Ipv4Addr, at: f64) {
        let span = self.acknowledged.entry(server).or_insert(Span { first: at, last: at });
        span.last = at;
        if let Some((before, began)) = self.latest
            && before == server
            && self.longest_gap.is_none_or(|(longest, _)| at - began > longest)
        {
            self.longest_gap = Some((at - began, began));
        }
        self.latest = Some((server, at));
    }

    /// The name led to this server.
    pub fn resolve(&mut self, server: Ipv4Addr, at: f64) {
        self.resolved.entry(server).or_insert(at);
    }

    /// This server accepted a connection.
    pub fn connect(&mut self, server: Ipv4Addr, at: f64) {
        self.connected.entry(server).or_insert(at);
    }

    /// From the last write on the source to the first on the target; `None` if one of them never acknowledged.
    /// Negative if a write was acknowledged on the source after the first on the target.
    pub fn outage(&self, source: Ipv4Addr, target: Ipv4Addr) -> Option<f64> {
        Some(self.acknowledged.get(&target)?.first - self.acknowledged.get(&source)?.last)
    }

    /// All clients as one.
    pub fn merge<'a>(timelines: impl IntoIterator<Item = &'a Timeline>) -> Timeline {
        let mut all = Timeline::default();
        for one in timelines {
            for (server, span) in &one.acknowledged {
                let known = all.acknowledged.entry(*server).or_insert(*span);
                *known = Span { first: known.first.min(span.first), last: known.last.max(span.last) };
            }
            earliest(&mut all.resolved, &one.resolved);
            earliest(&mut all.connected, &one.connected);
            if let Some((seconds, began)) = one.longest_gap
                && all.longest_gap.is_none_or(|(longest, _)| seconds > longest)
            {
                all.longest_gap = Some((seconds, began));
            }
        }
        all
    }
}

fn earliest(all: &mut HashMap<Ipv4Addr, f64>, one: &HashMap<Ipv4Addr, f64>) {
    for (server, at) in one {
        let known = all.entry(*server).or_insert(*at);
        *known = known.min(*at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
    const TARGET: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);

    fn timeline(acknowledged: &[(Ipv4Addr, f64)]) -> Timeline {
        let mut timeline = Timeline::default();
        acknowledged.iter().for_each(|(server, at)| timeline.acknowledge(*server, *at));
        timeline
    }

    #[test]
    fn the_outage_of_all_is_from_the_last_of_all_to_the_first_of_all() {
        let one = timeline(&[(SOURCE, 1.0), (SOURCE, 10.0), (TARGET, 14.0)]);
        let other = timeline(&[(SOURCE, 2.0), (SOURCE, 11.0), (TARGET, 13.0), (TARGET, 20.0)]);

        let all = Timeline::merge([&one, &other]);

        assert_eq!(all.outage(SOURCE, TARGET), Some(2.0));
        assert_eq!(one.outage(SOURCE, TARGET), Some(4.0));
        assert_eq!(all.longest_gap, Some((9.0, 1.0)));
        assert_eq!(all.outage(TARGET, Ipv4Addr::LOCALHOST), None);
    }

    #[test]
    fn a_write_on_the_source_after_the_first_on_the_target_shows_as_a_negative_outage() {
        let all = Timeline::merge([&timeline(&[(SOURCE, 1.0), (SOURCE, 10.0)]), &timeline(&[(TARGET, 9.0)])]);

        assert_eq!(all.outage(SOURCE, TARGET), Some(-1.0));
    }
}
