//! The resolver that clients ask: it keeps answers, follows CNAMEs, and asks any of the four name servers.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::{Name, Record, RecordType};
use local_aws_core::Hosts;

use super::answer::{Found, Throw, View, look};
use super::cache::Cache;
use crate::names::canonical;
use crate::propagation::SERVERS;
use crate::zones::Zones;

/// A chain of CNAMEs ends here.
const LONGEST_CHAIN: usize = 8;

/// An answer's three parts that matter.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) code: ResponseCode,
    pub(super) records: Vec<Record>,
    /// The zone's SOA, where there is no record: it says how long that may be believed.
    pub(super) soa: Option<Record>,
}

impl Answer {
    pub(super) fn new(code: ResponseCode, records: Vec<Record>) -> Self {
        Self { code, records, soa: None }
    }
}

/// Resolves names as a VPC's resolver does.
#[derive(Debug)]
pub(super) struct Resolver {
    zones: Zones,
    hosts: Hosts,
    cache: Mutex<Cache>,
}

impl Resolver {
    /// Keeps every answer for at least `minimum_ttl`, as some resolvers of applications do.
    pub(super) fn new(zones: Zones, hosts: Hosts, minimum_ttl: Duration) -> Self {
        Self { zones, hosts, cache: Mutex::new(Cache::new(minimum_ttl)) }
    }

    /// Answer a question.
    pub(super) fn answer(&self, name: &Name, kind: RecordType, now: Instant, throw: Throw<'_>) -> Answer {
        let mut at = canonical(&name.to_ascii());
        let mut records = Vec::new();
        for _ in 0..LONGEST_CHAIN {
            match self.link(&at, kind, now, throw) {
                Found::Records(found) => {
                    records.extend(found);
                    return Answer::new(ResponseCode::NoError, records);
                }
                Found::Alias(found, target) => {
                    records.extend(found);
                    at = target;
                }
                Found::NoRecord(soa) => return Answer { soa, ..Answer::new(ResponseCode::NoError, records) },
                Found::NoName(soa) => return Answer { soa, ..Answer::new(ResponseCode::NXDomain, records) },
            }
        }
        Answer::new(ResponseCode::ServFail, records)
    }

    /// One link of a chain: from the cache, or from a name server at random.
    fn link(&self, at: &str, kind: RecordType, now: Instant, throw: Throw<'_>) -> Found {
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = cache.get(at, kind, now) {
            return found;
        }
        let server = usize::try_from(throw(SERVERS as u64)).unwrap_or(0);
        let found = look(View { zones: &self.zones, hosts: &self.hosts, server, now }, at, kind, throw);
        cache.keep(at, kind, &found, now);
        // As it is kept, so that the first answer has the TTL that the next ones count down.
        cache.get(at, kind, now).unwrap_or(found)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use serde_json::{Value, json};

    use super::*;
    use crate::propagation::Propagation;
    use crate::record_set::RecordSet;
    use crate::zones::Zone;

    fn zones(records: &[Value]) -> Zones {
        let zones = Zones::new(Duration::ZERO);
        let mut zone = Zone::new("example.com.", "one", None, None);
        zone.records.extend(records.iter().map(RecordSet::of).map(|set| (set.key(), set)));
        let (id, records) = (zone.id.clone(), zone.records.clone());
        zones.lock().zones.insert(id.clone(), zone);
        zones.lock().submit(&id, records, None, Instant::now());
        zones
    }

    fn hosts() -> Hosts {
        let hosts = Hosts::default();
        hosts.set("db-1.x.eu-west-1.rds.amazonaws.com", Ipv4Addr::new(127, 1, 0, 1));
        hosts
    }

    fn ask(zones: &Zones, name: &str, kind: RecordType) -> (ResponseCode, Vec<String>) {
        let name = Name::from_ascii(name).unwrap();
        let resolver = Resolver::new(zones.clone(), hosts(), Duration::ZERO);
        let answer = resolver.answer(&name, kind, Instant::now(), &mut |_| 0);
        (answer.code, answer.records.iter().map(ToString::to_string).collect())
    }

    fn record(name: &str, kind: &str, value: &str) -> Value {
        json!({"Name": name, "Type": kind, "TTL": 60, "ResourceRecords": [{"Value": value}]})
    }

    #[test]
    fn a_question_gets_the_records_of_its_name() {
        let zones = zones(&[
            record("db.example.com", "CNAME", "db-1.x.eu-west-1.rds.amazonaws.com"),
            record("two.example.com", "CNAME", "db.example.com."),
            record("gone.example.com", "CNAME", "db-9.x.eu-west-1.rds.amazonaws.com"),
            record("loop.example.com", "CNAME", "loop.example.com"),
            record("a.b.example.com", "A", "10.0.0.1"),
            record("a.b.example.com", "TXT", "\"hello there\""),
            record("*.wild.example.com", "AAAA", "::1"),
            json!({"Name": "alias.example.com", "Type": "A", "AliasTarget": {"DNSName": "a.b.example.com",
                "HostedZoneId": "Z", "EvaluateTargetHealth": false}}),
        ]);
        let endpoint = "db-1.x.eu-west-1.rds.amazonaws.com. 5 IN A 127.1.0.1";
        let cname = "db.example.com. 60 IN CNAME db-1.x.eu-west-1.rds.amazonaws.com.";
        let cases: &[(&str, RecordType, ResponseCode, &[&str])] = &[
            ("db.example.com.", RecordType::A, ResponseCode::NoError, &[cname, endpoint]),
            ("DB.Example.com.", RecordType::CNAME, ResponseCode::NoError, &[cname]),
            (
                "two.example.com.",
                RecordType::A,
                ResponseCode::NoError,
                &["two.example.com. 60 IN CNAME db.example.com.", cname, endpoint],
            ),
            ("db.example.com.", RecordType::AAAA, ResponseCode::NoError, &[cname]),
            (
                "gone.example.com.",
                RecordType::A,
                ResponseCode::NXDomain,
                &["gone.example.com. 60 IN CNAME db-9.x.eu-west-1.rds.amazonaws.com."],
            ),
            ("db-1.x.eu-west-1.rds.amazonaws.com.", RecordType::A, ResponseCode::NoError, &[endpoint]),
            ("a.b.example.com.", RecordType::TXT, ResponseCode::NoError, &["a.b.example.com. 60 IN TXT hello there"]),
            ("b.example.com.", RecordType::A, ResponseCode::NoError, &[]),
            ("nothing.example.com.", RecordType::A, ResponseCode::NXDomain, &[]),
            ("x.wild.example.com.", RecordType::AAAA, ResponseCode::NoError, &["x.wild.example.com. 60 IN AAAA ::1"]),
            ("alias.example.com.", RecordType::A, ResponseCode::NoError, &["alias.example.com. 60 IN A 10.0.0.1"]),
            ("elsewhere.org.", RecordType::A, ResponseCode::NXDomain, &[]),
        ];
        for (name, kind, code, records) in cases {
            let (found_code, found) = ask(&zones, name, *kind);

            assert_eq!(
                (found_code, found.iter().map(String::as_str).collect::<Vec<_>>()),
                (*code, records.to_vec()),
                "{name} {kind}"
            );
        }
        assert_eq!(ask(&zones, "loop.example.com.", RecordType::A).0, ResponseCode::ServFail);
    }

    #[test]
    fn a_zone_knows_its_name_servers() {
        let zones = zones(&[]);

        assert_eq!(ask(&zones, "example.com.", RecordType::NS).1.len(), 4);
        assert_eq!(ask(&zones, "example.com.", RecordType::SOA).1.len(), 1);
    }

    /// The clock of the test, and a resolver of a zone whose record has just been pointed from one address to another.
    struct Changed {
        resolver: Resolver,
        submitted: Instant,
    }

    impl Changed {
        fn new(ttl: u32, minimum_ttl: u64, propagation: Propagation) -> Self {
            let set = |address: &str| json!({"Name": "db.example.com", "Type": "A", "TTL": ttl, "ResourceRecords": [{"Value": address}]});
            let zones = zones(&[set("10.0.0.1")]);
            zones.set_propagation(propagation);
            let submitted = Instant::now();
            let (id, mut records) = {
                let state = zones.lock();
                let (id, zone) = state.zones.iter().next().unwrap();
                (id.clone(), zone.records.clone())
            };
            let new = RecordSet::of(&set("10.0.0.2"));
            records.insert(new.key(), new);
            zones.lock().submit(&id, records, None, submitted);
            Self { resolver: Resolver::new(zones, hosts(), Duration::from_secs(minimum_ttl)), submitted }
        }

        fn answer(&self, milliseconds: u64, server: u64) -> String {
            let name = Name::from_ascii("db.example.com.").unwrap();
            let now = self.submitted + Duration::from_millis(milliseconds);
            let answer = self.resolver.answer(&name, RecordType::A, now, &mut |below| server.min(below - 1));
            answer.records[0].to_string().replace("db.example.com. ", "")
        }
    }

    #[test]
    fn an_old_answer_is_given_until_its_ttl_is_over_even_if_the_change_is_in_sync() {
        let changed = Changed::new(3, 0, Duration::from_secs(2).into());

        let answers = [0, 1_500, 2_500, 3_000].map(|at| changed.answer(at, 0));

        assert_eq!(answers, ["3 IN A 10.0.0.1", "2 IN A 10.0.0.1", "1 IN A 10.0.0.1", "3 IN A 10.0.0.2"]);
    }

    #[test]
    fn an_answer_without_a_ttl_is_asked_for_again_and_may_be_an_older_one() {
        let (shortest, longest) = (Duration::from_secs(2), Duration::from_secs(40));
        let changed = Changed::new(0, 0, Propagation::Spread { shortest, longest });
        let seconds = changed.resolver.zones.propagated().pop().unwrap().seconds;
        let between = |server: u64| u64::from(seconds[server as usize] * 1_000.0 <= 20_000.0);

        let expected = [0, 1, 2, 3].map(|server| format!("0 IN A 10.0.0.{}", 1 + between(server)));
        assert_eq!([0, 1, 2, 3].map(|server| changed.answer(20_000, server)), expected);
        assert_eq!([0, 1, 2, 3].map(|server| changed.answer(40_000, server)), ["0 IN A 10.0.0.2"; 4]);
    }

    #[test]
    fn a_minimum_ttl_keeps_an_old_answer_longer_than_its_ttl() {
        let changed = Changed::new(1, 30, Duration::from_secs(1).into());

        let answers = [0, 29_500, 30_000].map(|at| changed.answer(at, 0));

        assert_eq!(answers, ["30 IN A 10.0.0.1", "1 IN A 10.0.0.1", "30 IN A 10.0.0.2"]);
    }

    #[test]
    fn a_name_that_was_denied_is_denied_for_a_few_seconds_more() {
        let zones = zones(&[]);
        let (resolver, began) = (Resolver::new(zones.clone(), hosts(), Duration::ZERO), Instant::now());
        let code = |milliseconds: u64| {
            let name = Name::from_ascii("db.example.com.").unwrap();
            resolver.answer(&name, RecordType::A, began + Duration::from_millis(milliseconds), &mut |_| 0).code
        };
        let before = code(0);
        let (id, mut records) = {
            let state = zones.lock();
            let (id, zone) = state.zones.iter().next().unwrap();
            (id.clone(), zone.records.clone())
        };
        let new = RecordSet::of(&record("db.example.com", "A", "10.0.0.1"));
        records.insert(new.key(), new);
        zones.lock().submit(&id, records, None, began);

        let expected = [ResponseCode::NXDomain, ResponseCode::NXDomain, ResponseCode::NoError];
        assert_eq!([before, code(4_900), code(5_000)], expected);
    }

    #[test]
    fn an_endpoints_address_is_kept_for_five_seconds() {
        let name = "db-1.x.eu-west-1.rds.amazonaws.com";
        let hosts = hosts();
        let resolver = Resolver::new(zones(&[]), hosts.clone(), Duration::ZERO);
        let began = Instant::now();
        let address = |seconds: u64| {
            let name = Name::from_ascii(format!("{name}.")).unwrap();
            let now = began + Duration::from_secs(seconds);
            resolver.answer(&name, RecordType::A, now, &mut |_| 0).records.first().map(|record| record.data.to_string())
        };
        let before = address(0);
        hosts.set(name, Ipv4Addr::new(127, 1, 0, 9));

        assert_eq!([before, address(4), address(5)].map(Option::unwrap), ["127.1.0.1", "127.1.0.1", "127.1.0.9"]);
    }
}
