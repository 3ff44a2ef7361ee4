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
    /// The client opens a connection for every transaction.
    pub visits: bool,
    /// Acknowledged writes by the server that acknowledged them.
    pub acknowledged: HashMap<Ipv4Addr, Span>,
    /// First connection that a server accepted.
    pub connected: HashMap<Ipv4Addr, f64>,
    /// Longest time between two acknowledged writes on one server: its seconds and when it began.
    pub longest_gap: Option<(f64, f64)>,
    /// When the name led to each server.
    resolved: HashMap<Ipv4Addr, Vec<f64>>,
    /// When each server acknowledged a write.
    writes: HashMap<Ipv4Addr, Vec<f64>>,
    /// When each server refused a connection because the role lacks CONNECT.
    refused: HashMap<Ipv4Addr, Vec<f64>>,
    /// The server that acknowledged last, and when.
    latest: Option<(Ipv4Addr, f64)>,
}

/// A refusal is seen by its client a moment after the server has decided it, and a client that was connected before a
/// fence may still be acknowledged for a moment. In seconds.
const SLACK: f64 = 1.0;

impl Timeline {
    /// A write was acknowledged by this server.
    pub fn acknowledge(&mut self, server: Ipv4Addr, at: f64) {
        let span = self.acknowledged.entry(server).or_insert(Span { first: at, last: at });
        span.last = at;
        self.writes.entry(server).or_default().push(at);
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
        self.resolved.entry(server).or_default().push(at);
    }

    /// The first time that the name led to this server.
    pub fn first_resolved(&self, server: Ipv4Addr) -> Option<f64> {
        self.resolved.get(&server)?.iter().copied().min_by(f64::total_cmp)
    }

    /// This server accepted a connection.
    pub fn connect(&mut self, server: Ipv4Addr, at: f64) {
        self.connected.entry(server).or_insert(at);
    }

    /// This server refused a connection for want of CONNECT.
    pub fn refuse(&mut self, server: Ipv4Addr, at: f64) {
        self.refused.entry(server).or_default().push(at);
    }

    /// The first write that this server acknowledged at or after a moment.
    pub fn first_write_since(&self, server: Ipv4Addr, moment: f64) -> Option<f64> {
        self.writes.get(&server)?.iter().copied().filter(|at| *at >= moment).min_by(f64::total_cmp)
    }

    /// How many writes this server acknowledged.
    pub fn writes_on(&self, server: Ipv4Addr) -> usize {
        self.writes.get(&server).map_or(0, Vec::len)
    }

    /// When this server refused connections for want of CONNECT, in no order.
    pub fn refused_at(&self, server: Ipv4Addr) -> &[f64] {
        self.refused.get(&server).map_or(&[], Vec::as_slice)
    }

    /// The times in which this server refused clients for want of CONNECT, with acknowledged writes between them.
    pub fn refusals(&self, server: Ipv4Addr) -> Vec<Span> {
        let sorted = |times: Option<&Vec<f64>>| {
            let mut times = times.cloned().unwrap_or_default();
            times.sort_by(f64::total_cmp);
            times
        };
        let (refused, writes) = (sorted(self.refused.get(&server)), sorted(self.writes.get(&server)));
        let writes_before = |at: f64| writes.partition_point(|write| *write < at);
        let mut spans: Vec<Span> = Vec::new();
        for at in refused {
            match spans.last_mut() {
                Some(span) if at - span.last < SLACK || writes_before(span.last) == writes_before(at) => span.last = at,
                _ => spans.push(Span { first: at, last: at }),
            }
        }
        spans
    }

    /// Those of them that began when this server had acknowledged writes already: for a target, that it was shut again.
    pub fn refusals_after_writes(&self, server: Ipv4Addr) -> Vec<Span> {
        let Some(open) = self.acknowledged.get(&server) else { return Vec::new() };
        self.refusals(server).into_iter().filter(|span| span.last > open.first + SLACK).collect()
    }

    /// From the last write on the source to the first on the target; `None` if one of them never acknowledged.
    /// Negative if a write was acknowledged on the source after the first on the target.
    pub fn outage(&self, source: Ipv4Addr, target: Ipv4Addr) -> Option<f64> {
        Some(self.acknowledged.get(&target)?.first - self.acknowledged.get(&source)?.last)
    }

    /// What one client saw from one moment on, and before another: one of several cutovers.
    pub fn between(&self, from: f64, until: f64) -> Timeline {
        let is_part = |at: &f64| (from..until).contains(at);
        let mut part = Timeline { visits: self.visits, ..Timeline::default() };
        let writes = self.writes.iter().flat_map(|(server, times)| times.iter().map(|at| (*at, *server)));
        let mut writes: Vec<_> = writes.filter(|(at, _)| is_part(at)).collect();
        writes.sort_by(|(one, _), (other, _)| one.total_cmp(other));
        writes.into_iter().for_each(|(at, server)| part.acknowledge(server, at));
        let cut = |times: &HashMap<Ipv4Addr, Vec<f64>>| -> HashMap<Ipv4Addr, Vec<f64>> {
            let kept = |times: &Vec<f64>| times.iter().copied().filter(is_part).collect::<Vec<_>>();
            times.iter().map(|(server, times)| (*server, kept(times))).collect()
        };
        part.connected =
            self.connected.iter().filter(|(_, at)| is_part(at)).map(|(server, at)| (*server, *at)).collect();
        (part.resolved, part.refused) = (cut(&self.resolved), cut(&self.refused));
        part
    }

    /// All clients as one.
    pub fn merge<'a>(timelines: impl IntoIterator<Item = &'a Timeline>) -> Timeline {
        let mut all = Timeline::default();
        for one in timelines {
            for (server, span) in &one.acknowledged {
                let known = all.acknowledged.entry(*server).or_insert(*span);
                *known = Span { first: known.first.min(span.first), last: known.last.max(span.last) };
            }
            gather(&mut all.resolved, &one.resolved);
            earliest(&mut all.connected, &one.connected);
            gather(&mut all.writes, &one.writes);
            gather(&mut all.refused, &one.refused);
            if let Some((seconds, began)) = one.longest_gap
                && all.longest_gap.is_none_or(|(longest, _)| seconds > longest)
            {
                all.longest_gap = Some((seconds, began));
            }
        }
        all
    }
}

fn gather(all: &mut HashMap<Ipv4Addr, Vec<f64>>, one: &HashMap<Ipv4Addr, Vec<f64>>) {
    for (server, times) in one {
        all.entry(*server).or_default().extend(times);
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

    #[test]
    fn each_of_two_cutovers_has_an_outage_of_its_own() {
        let mut client = timeline(&[(SOURCE, 1.0), (SOURCE, 10.0), (TARGET, 12.0), (TARGET, 30.0), (SOURCE, 31.0)]);
        client.resolve(SOURCE, 0.5);
        client.resolve(SOURCE, 30.5);

        let (forward, back) = (client.between(0.0, 20.0), client.between(20.0, f64::INFINITY));

        assert_eq!(client.outage(SOURCE, TARGET), Some(-19.0));
        assert_eq!((forward.outage(SOURCE, TARGET), back.outage(TARGET, SOURCE)), (Some(2.0), Some(1.0)));
        assert_eq!((forward.longest_gap, back.longest_gap), (Some((9.0, 1.0)), None));
        assert_eq!((forward.first_resolved(SOURCE), back.first_resolved(SOURCE)), (Some(0.5), Some(30.5)));
    }

    /// Both servers' refusals, as spans of seconds.
    fn refusals(writes: &[(Ipv4Addr, f64)], refused: &[(Ipv4Addr, f64)]) -> (Vec<(f64, f64)>, usize) {
        let mut timeline = timeline(writes);
        refused.iter().for_each(|(server, at)| timeline.refuse(*server, *at));
        let all = Timeline::merge([&timeline, &Timeline::default()]);
        let spans = |server| all.refusals(server).iter().map(|span| (span.first, span.last)).collect();
        (spans(SOURCE), all.refusals_after_writes(TARGET).len())
    }

    #[test]
    fn a_server_that_refuses_clients_a_second_time_is_seen() {
        let cutover = refusals(
            &[(SOURCE, 1.0), (SOURCE, 10.1), (TARGET, 11.0), (TARGET, 20.0)],
            &[(SOURCE, 10.0), (SOURCE, 10.2), (SOURCE, 14.0), (TARGET, 10.5), (TARGET, 11.2)],
        );
        assert_eq!(cutover, (vec![(10.0, 14.0)], 0));

        let fenced_twice = refusals(
            &[(SOURCE, 1.0), (SOURCE, 12.0), (SOURCE, 80.0)],
            &[(SOURCE, 10.0), (SOURCE, 11.0), (SOURCE, 20.0)],
        );
        assert_eq!(fenced_twice, (vec![(10.0, 11.0), (20.0, 20.0)], 0));

        let target_shut_again =
            refusals(&[(SOURCE, 1.0), (TARGET, 11.0), (TARGET, 12.0)], &[(SOURCE, 10.0), (TARGET, 15.0)]);
        assert_eq!(target_shut_again, (vec![(10.0, 10.0)], 1));
    }
}
