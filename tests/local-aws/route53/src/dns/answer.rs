//! What a name server says to a question: from a zone's records, the endpoints' addresses and a throw of dice.

use std::time::Instant;

use hickory_proto::rr::rdata::A;
use hickory_proto::rr::{Name, RData, Record, RecordType};
use local_aws_core::Hosts;

use crate::names::{canonical, parents};
use crate::record_set::{RecordSet, Records};
use crate::zones::Zones;

/// An RDS endpoint's own TTL in seconds (RDS user guide).
const ENDPOINT_TTL: u32 = 5;

/// What one name has, before any CNAME is followed.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Found {
    Records(Vec<Record>),
    Alias(Vec<Record>, String),
    /// With the zone's SOA: it says how long that may be believed.
    NoRecord(Option<Record>),
    NoName(Option<Record>),
}

/// One name server at a moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) zones: &'a Zones,
    pub(super) hosts: &'a Hosts,
    pub(super) server: usize,
    pub(super) now: Instant,
}

/// Gives a number below its argument.
pub(super) type Throw<'a> = &'a mut dyn FnMut(u64) -> u64;

/// What the name server has for a canonical name.
pub(super) fn look(view: View<'_>, at: &str, kind: RecordType, throw: Throw<'_>) -> Found {
    if let Some(address) = view.hosts.get(at) {
        return match (kind, name(at)) {
            (RecordType::A, Some(name)) => {
                Found::Records(vec![Record::from_rdata(name, ENDPOINT_TTL, RData::A(A(address)))])
            }
            _ => Found::NoRecord(None),
        };
    }
    let Some((zone, records)) = view.zones.answered(view.server, at, view.now) else { return Found::NoName(None) };
    let here = sets_at(&records, at, &zone);
    let wanted: Vec<&RecordSet> = here.iter().copied().filter(|set| set.kind() == kind.to_string()).collect();
    if let Some(set) = chosen(&wanted, throw) {
        return found(view, at, set, kind, throw);
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
fn found(view: View<'_>, at: &str, set: &RecordSet, kind: RecordType, throw: Throw<'_>) -> Found {
    let Some(target) = set.alias_target() else { return Found::Records(in_wire_form(at, set, kind)) };
    let (Found::Records(mut records), Some(name)) = (look(view, target, kind, throw), name(at)) else {
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
fn chosen<'a>(sets: &[&'a RecordSet], throw: Throw<'_>) -> Option<&'a RecordSet> {
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
    use serde_json::json;

    use super::*;

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
}
