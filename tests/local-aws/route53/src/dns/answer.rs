//! What the name servers say to a question: from a zone's records, the endpoints' addresses and a throw of dice.

use std::time::Instant;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::rdata::A;
use hickory_proto::rr::{Name, RData, Record, RecordType};
use local_aws_core::Hosts;

use crate::names::{canonical, parents};
use crate::record_set::{RecordSet, Records};
use crate::zones::Zones;

/// An RDS endpoint's own TTL in seconds (RDS user guide).
const ENDPOINT_TTL: u32 = 5;
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
    fn new(code: ResponseCode, records: Vec<Record>) -> Self {
        Self { code, records, soa: None }
    }
}

/// What one name has, before any CNAME is followed.
enum Found {
    Records(Vec<Record>),
    Alias(Vec<Record>, String),
    NoRecord(Option<Record>),
    NoName(Option<Record>),
}

/// Answer a question. `throw` gives a number below its argument.
pub(super) fn answer(
    zones: &Zones,
    hosts: &Hosts,
    name: &Name,
    kind: RecordType,
    throw: &mut dyn FnMut(u64) -> u64,
) -> Answer {
    let mut at = canonical(&name.to_ascii());
    let mut records = Vec::new();
    for _ in 0..LONGEST_CHAIN {
        match look(zones, hosts, &at, kind, throw) {
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

fn look(zones: &Zones, hosts: &Hosts, at: &str, kind: RecordType, throw: &mut dyn FnMut(u64) -> u64) -> Found {
    if let Some(address) = hosts.get(at) {
        return match (kind, name(at)) {
            (RecordType::A, Some(name)) => {
                Found::Records(vec![Record::from_rdata(name, ENDPOINT_TTL, RData::A(A(address)))])
            }
            _ => Found::NoRecord(None),
        };
    }
    let Some((zone, records)) = zones.answered(at, Instant::now()) else { return Found::NoName(None) };
    let here = sets_at(&records, at, &zone);
    let wanted: Vec<&RecordSet> = here.iter().copied().filter(|set| set.kind() == kind.to_string()).collect();
    if let Some(set) = chosen(&wanted, throw) {
        return found(zones, hosts, at, set, kind, throw);
    }
    let cnames: Vec<&RecordSet> = here.iter().copied().filter(|set| set.kind() == "CNAME").collect();
    if let Some(set) = chosen(&cnames, throw) {
        return match set.values().first() {
            Some(target) => Found::Alias(in_wire_form(at, set, RecordType::CNAME), canonical(target)),
            None => Found::NoRecord(soa(&records, &zone)),
        };
    }
    let below = records.values().any(|set| parents(set.name()).any(|above| above == at));
    if here.is_empty() && !below { Found::NoName(soa(&records, &zone)) } else { Found::NoRecord(soa(&records, &zone)) }
}

/// An alias answers with the target's records under its own name.
fn found(
    zones: &Zones,
    hosts: &Hosts,
    at: &str,
    set: &RecordSet,
    kind: RecordType,
    throw: &mut dyn FnMut(u64) -> u64,
) -> Found {
    let Some(target) = set.alias_target() else { return Found::Records(in_wire_form(at, set, kind)) };
    let (Found::Records(mut records), Some(name)) = (look(zones, hosts, target, kind, throw), name(at)) else {
        return Found::NoRecord(None);
    };
    records.iter_mut().for_each(|record| record.name = name.clone());
    Found::Records(records)
}

/// The record sets of a name, or of the nearest wildcard if the name has none at all.
fn sets_at<'a>(records: &'a Records, at: &str, zone: &str) -> Vec<&'a RecordSet> {
    let named = |name: &str| records.values().filter(|set| set.name() == name).collect::<Vec<_>>();
    let own = named(at);
    if !own.is_empty() {
        return own;
    }
    let above = parents(at).filter(|above| crate::names::within(above, zone));
    above.map(|above| named(&format!("\\052.{above}"))).find(|sets| !sets.is_empty()).unwrap_or_default()
}

/// One of the sets with the same name and type: by weight where there are weights (all zero counts as all equal),
/// else the first that is not a standby.
fn chosen<'a>(sets: &[&'a RecordSet], throw: &mut dyn FnMut(u64) -> u64) -> Option<&'a RecordSet> {
    let weights: Vec<u64> = sets.iter().map(|set| set.weight().unwrap_or(0)).collect();
    let any_weight = sets.iter().any(|set| set.weight().is_some());
    if !any_weight {
        return sets.iter().find(|set| !set.is_standby()).or(sets.first()).copied();
    }
    let weights = if weights.iter().all(|weight| *weight == 0) { vec![1; sets.len()] } else { weights };
    let mut left = throw(weights.iter().sum());
    let at = weights.iter().position(|weight| match left.checked_sub(*weight) {
        Some(rest) => {
            left = rest;
            false
        }
        None => true,
    });
    at.and_then(|at| sets.get(at)).copied()
}

/// The values of a set; those that DNS cannot carry are left out.
fn in_wire_form(at: &str, set: &RecordSet, kind: RecordType) -> Vec<Record> {
    let Some(name) = name(at) else { return Vec::new() };
    let values = set.values();
    let data = values.iter().filter_map(|value| RData::try_from_str(kind, &absolute(kind, value)).ok());
    data.map(|data| Record::from_rdata(name.clone(), set.ttl().unwrap_or(60), data)).collect()
}

/// Route 53 takes names in values without their trailing dot.
fn absolute(kind: RecordType, value: &str) -> String {
    let is_name = matches!(kind, RecordType::CNAME | RecordType::NS | RecordType::PTR);
    if is_name && !value.ends_with('.') { format!("{value}.") } else { value.to_owned() }
}

fn soa(records: &Records, zone: &str) -> Option<Record> {
    let set = records.values().find(|set| set.name() == zone && set.kind() == "SOA")?;
    in_wire_form(zone, set, RecordType::SOA).pop()
}

fn name(canonical: &str) -> Option<Name> {
    // hickory reads decimal escapes as DNS master files write them; ours are octal and stand only for `*`.
    Name::from_ascii(canonical.replace("\\052", "*")).ok()
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::*;
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
        let answer = answer(zones, &hosts(), &name, kind, &mut |_| 0);
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

    #[test]
    fn weights_decide_and_all_zero_is_all_equal() {
        let weighted = |identifier: &str, weight: u64, address: &str| {
            RecordSet::of(&json!({"Name": "w.example.com", "Type": "A", "TTL": 1, "SetIdentifier": identifier,
                "Weight": weight, "ResourceRecords": [{"Value": address}]}))
        };
        let cases = [
            ([0, 3, 1], 4, 0, "b"),
            ([0, 3, 1], 4, 2, "b"),
            ([0, 3, 1], 4, 3, "c"),
            ([0, 0, 0], 3, 0, "a"),
            ([0, 0, 0], 3, 2, "c"),
        ];
        for (weights, sum, thrown, expected) in cases {
            let sets: Vec<RecordSet> =
                ["a", "b", "c"].iter().zip(weights).map(|(name, weight)| weighted(name, weight, "10.0.0.1")).collect();
            let sets: Vec<&RecordSet> = sets.iter().collect();

            let chosen = chosen(&sets, &mut |below| {
                assert_eq!(below, sum);
                thrown
            });

            assert_eq!(chosen.unwrap().identifier(), Some(expected), "{weights:?} {thrown}");
        }
    }

    #[test]
    fn the_old_data_is_answered_until_the_change_is_in_sync() {
        let zones = zones(&[record("db.example.com", "A", "10.0.0.1")]);
        let now = Instant::now();
        let (_, before) = zones.answered("db.example.com.", now).unwrap();
        let new = RecordSet::of(&record("db.example.com", "A", "10.0.0.2"));
        let records: Records = before.values().cloned().chain([new]).map(|set| (set.key(), set)).collect();
        zones.set_propagation(Duration::from_secs(2));
        let id = zones.lock().zones.keys().next().unwrap().clone();
        zones.lock().submit(&id, records, None, now);

        let value_after = |seconds: u64| {
            let (_, records) = zones.answered("db.example.com.", now + Duration::from_secs(seconds)).unwrap();
            let set = records.values().find(|set| set.name() == "db.example.com.").unwrap();
            set.values()[0].to_owned()
        };

        assert_eq!([value_after(0), value_after(1), value_after(2)], ["10.0.0.1", "10.0.0.1", "10.0.0.2"]);
    }
}
