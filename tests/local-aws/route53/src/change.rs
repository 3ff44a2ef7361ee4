//! What a change batch makes of a zone: all of it or nothing, with AWS's reasons.
//!
//! Texts that AWS is known to send are marked in docs/fidelity/route53.md; the others say the same in our words.

use std::net::{Ipv4Addr, Ipv6Addr};

use serde_json::Value;

use crate::names::within;
use crate::record_set::{RecordSet, Records};

/// Elements of a batch (an UPSERT counts twice), and characters of their values (Route 53 developer guide, quotas).
const MOST_ELEMENTS: usize = 1_000;
const MOST_CHARACTERS: usize = 32_000;
/// Weighted, latency, .. records with one name and type (Route 53 developer guide, quotas).
const MOST_IDENTIFIERS: usize = 100;
/// What makes a record set one of several with the same name and type.
const ROUTING: [&str; 7] =
    ["Weight", "Region", "GeoLocation", "Failover", "MultiValueAnswer", "CidrRoutingConfig", "GeoProximityLocation"];

/// Why a batch is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// `InvalidInput`: one change is malformed by itself.
    Input(String),
    /// `InvalidChangeBatch`: these changes do not fit the zone.
    Batch(Vec<String>),
}

/// What a change does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Create,
    Delete,
    Upsert,
}

struct Change {
    action: Action,
    record: RecordSet,
}

/// The records of a zone after a batch; `changes` is the model's list.
pub(crate) fn apply(zone: &str, records: &Records, changes: &[Value]) -> Result<Records, Refusal> {
    let changes: Vec<Change> = changes.iter().map(read).collect();
    for change in &changes {
        well_formed(change)?;
    }
    let mut reasons: Vec<String> = too_large(&changes).into_iter().collect();
    let mut after = records.clone();
    for change in &changes {
        reasons.extend(step(zone, &mut after, change).err());
    }
    let kept = changes.iter().filter(|change| change.action != Action::Delete);
    reasons.extend(kept.filter_map(|change| conflict(zone, &after, &change.record)));
    reasons.extend(missing_apex(zone, &after));
    if reasons.is_empty() { Ok(after) } else { Err(Refusal::Batch(reasons)) }
}

fn read(change: &Value) -> Change {
    let action = match change["Action"].as_str() {
        Some("CREATE") => Action::Create,
        Some("DELETE") => Action::Delete,
        _ => Action::Upsert,
    };
    Change { action, record: RecordSet::of(&change["ResourceRecordSet"]) }
}

fn step(zone: &str, records: &mut Records, change: &Change) -> Result<(), String> {
    let record = &change.record;
    let found = records.get(&record.key());
    match change.action {
        _ if !within(record.name(), zone) => {
            return Err(format!("RRSet with DNS name {} is not permitted in zone {zone}", record.name()));
        }
        Action::Create if found.is_some() => {
            return Err(format!("Tried to create resource record set {} but it already exists", in_brackets(record)));
        }
        Action::Delete => {
            let tried = format!("Tried to delete resource record set {}", in_brackets(record));
            let found = found.ok_or_else(|| format!("{tried} but it was not found"))?;
            if !same(found, record) {
                return Err(format!("{tried} but the values provided do not match the current values"));
            }
            records.remove(&record.key());
        }
        Action::Create | Action::Upsert => {
            records.insert(record.key(), record.clone());
        }
    }
    Ok(())
}

/// `[name='a.example.com.', type='A']`
fn in_brackets(record: &RecordSet) -> String {
    let identifier =
        record.identifier().map(|identifier| format!(", set identifier='{identifier}'")).unwrap_or_default();
    format!("[name='{}', type='{}'{identifier}]", record.name(), record.kind())
}

/// A DELETE names every member, the TTL too; the values in any order.
fn same(one: &RecordSet, other: &RecordSet) -> bool {
    let sorted = |record: &RecordSet| {
        let mut members = record.members().clone();
        if let Some(values) = members["ResourceRecords"].as_array_mut() {
            values.sort_by_key(ToString::to_string);
        }
        members
    };
    sorted(one) == sorted(other)
}

/// What a new record set may not stand beside.
fn conflict(zone: &str, records: &Records, record: &RecordSet) -> Option<String> {
    let (name, kind) = (record.name(), record.kind());
    let of_type = format!("RRSet of type {kind} with DNS name {name}");
    if kind == "CNAME" && name == zone {
        return Some(format!("{of_type} is not permitted at apex in zone {zone}"));
    }
    let beside = || records.values().filter(|other| other.name() == name && other.key() != record.key());
    if kind == "CNAME" && beside().any(|other| other.kind() != "CNAME") {
        return Some(format!(
            "{of_type} is not permitted as it conflicts with other records with the same DNS name in zone {zone}"
        ));
    }
    if kind != "CNAME" && beside().any(|other| other.kind() == "CNAME") {
        return Some(format!(
            "{of_type} is not permitted because a conflicting RRSet of type CNAME with the same DNS name already exists \
             in zone {zone}"
        ));
    }
    let group: Vec<&RecordSet> = beside().filter(|other| other.kind() == kind).collect();
    conflict_in_group(record, &group)
}

/// The rules of record sets that share name and type.
fn conflict_in_group(record: &RecordSet, group: &[&RecordSet]) -> Option<String> {
    let named = format!("RRSet with DNS name {}", record.name());
    let Some(identifier) = record.identifier() else {
        let kind = record.kind();
        let text = format!("{named}, type {kind} cannot be created as other RRSets exist with the same name and type.");
        return (!group.is_empty()).then_some(text);
    };
    let kind = record.kind();
    if group.iter().any(|other| other.identifier().is_none()) {
        let routing = if record.has("Weight") { "non-weighted" } else { "simple" };
        return Some(format!(
            "{named}, type {kind}, SetIdentifier {identifier} cannot be created as a {routing} set exists with the same \
             name and type."
        ));
    }
    if record.has("Weight") && group.iter().any(|other| !other.has("Weight")) {
        return Some(format!(
            "{named}, type {kind}, SetIdentifier {identifier} cannot be created as a non-weighted set exists with the \
             same name and type."
        ));
    }
    if record.has("Weight") && group.iter().any(|other| other.ttl() != record.ttl()) {
        return Some(format!(
            "{named} and type {kind}, SetIdentifier {identifier} cannot be created as weighted sets must contain the \
             same TTL."
        ));
    }
    (group.len() >= MOST_IDENTIFIERS).then(|| format!("{named}, type {kind}: more than {MOST_IDENTIFIERS} record sets"))
}

fn missing_apex(zone: &str, records: &Records) -> Option<String> {
    let has = |kind: &str| records.values().any(|record| record.name() == zone && record.kind() == kind);
    match (has("SOA"), has("NS")) {
        (false, _) => Some("A HostedZone must contain exactly one SOA record.".to_owned()),
        (_, false) => Some("A HostedZone must contain at least one NS record for the zone itself.".to_owned()),
        _ => None,
    }
}

fn too_large(changes: &[Change]) -> Option<String> {
    let weight = |change: &Change| if change.action == Action::Upsert { 2 } else { 1 };
    let elements: usize = changes.iter().map(|change| weight(change) * change.record.values().len().max(1)).sum();
    let characters = |change: &Change| change.record.values().iter().map(|value| value.len()).sum::<usize>();
    let characters: usize = changes.iter().map(|change| weight(change) * characters(change)).sum();
    if elements > MOST_ELEMENTS {
        return Some(format!("Number of records limit of {MOST_ELEMENTS} exceeded."));
    }
    (characters > MOST_CHARACTERS).then(|| format!("Number of characters limit of {MOST_CHARACTERS} exceeded."))
}

/// What is wrong with a change whatever the zone holds.
fn well_formed(change: &Change) -> Result<(), Refusal> {
    let record = &change.record;
    let whole = record.has("TTL") && !record.values().is_empty();
    let forms = [record.has("AliasTarget"), whole, record.has("TrafficPolicyInstanceId")];
    let found = forms.iter().filter(|form| **form).count();
    if found != 1 || (record.has("AliasTarget") && (record.has("TTL") || !record.values().is_empty())) {
        let expected = "[AliasTarget, all of [TTL, and ResourceRecords], or TrafficPolicyInstanceId]";
        let found = if found == 0 { "none" } else { "more than one" };
        return Err(malformed(change, &format!("Expected exactly one of {expected}, but found {found}")));
    }
    let routing = ROUTING.iter().filter(|member| record.has(member)).count();
    match (record.identifier(), routing) {
        (None, 1..) => return Err(malformed(change, "Missing field 'SetIdentifier'")),
        (Some(_), 0) => {
            let expected =
                "[Weight, Region, Failover, GeoLocation, MultiValueAnswer, CidrRoutingConfig, GeoProximityLocation]";
            return Err(malformed(change, &format!("Expected exactly one of {expected}, but found none")));
        }
        _ => {}
    }
    match bad_value(record) {
        Some(reason) if change.action != Action::Delete => Err(Refusal::Batch(vec![reason])),
        _ => Ok(()),
    }
}

/// `Invalid request: .. in Change with [Action=UPSERT, Name=a., Type=A, SetIdentifier=null]`
fn malformed(change: &Change, reason: &str) -> Refusal {
    let action = match change.action {
        Action::Create => "CREATE",
        Action::Delete => "DELETE",
        Action::Upsert => "UPSERT",
    };
    let record = &change.record;
    let identifier = record.identifier().unwrap_or("null");
    let of = format!("[Action={action}, Name={}, Type={}, SetIdentifier={identifier}]", record.name(), record.kind());
    Refusal::Input(format!("Invalid request: {reason} in Change with {of}"))
}

fn bad_value(record: &RecordSet) -> Option<String> {
    let values = record.values();
    let fatal = |problem: &str, value: &str| {
        Some(format!("Invalid Resource Record: 'FATAL problem: {problem} encountered with '{value}''"))
    };
    for value in &values {
        match record.kind() {
            "A" if value.parse::<Ipv4Addr>().is_err() => {
                return fatal("ARRDATAIllegalIPv4Address (Value is not a valid IPv4 address)", value);
            }
            "AAAA" if value.parse::<Ipv6Addr>().is_err() => {
                return fatal("AAAARRDATAIllegalIPv6Address (Value is not a valid IPv6 address)", value);
            }
            "CNAME" if value.is_empty() || value.contains(char::is_whitespace) => {
                return fatal("DomainNameIllegal (Value is not a valid domain name)", value);
            }
            "TXT" if !(value.starts_with('"') && value.ends_with('"') && value.len() > 1) => {
                return fatal("InvalidCharacterString (Value should be enclosed in quotation marks)", value);
            }
            _ => {}
        }
    }
    let twice = values.iter().enumerate().find(|(at, value)| values[..*at].contains(value));
    if let Some((_, value)) = twice {
        return Some(format!("Duplicate Resource Record: '{value}'"));
    }
    (record.kind() == "CNAME" && values.len() > 1)
        .then(|| format!("RRSet of type CNAME with DNS name {} has more than one value", record.name()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ZONE: &str = "example.com.";

    fn zone(records: &[Value]) -> Records {
        let apex = [
            json!({"Name": ZONE, "Type": "SOA", "TTL": 900, "ResourceRecords": [{"Value": "a. b. 1 2 3 4 5"}]}),
            json!({"Name": ZONE, "Type": "NS", "TTL": 900, "ResourceRecords": [{"Value": "ns."}]}),
        ];
        apex.iter().chain(records).map(RecordSet::of).map(|record| (record.key(), record)).collect()
    }

    fn cname(name: &str, value: &str) -> Value {
        json!({"Name": name, "Type": "CNAME", "TTL": 60, "ResourceRecords": [{"Value": value}]})
    }

    fn a(name: &str) -> Value {
        json!({"Name": name, "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "10.0.0.1"}]})
    }

    fn weighted(identifier: &str, ttl: u32) -> Value {
        json!({"Name": "w.example.com", "Type": "CNAME", "SetIdentifier": identifier, "Weight": 1, "TTL": ttl,
            "ResourceRecords": [{"Value": identifier}]})
    }

    fn with(mut record: Value, member: &str, value: Value) -> Value {
        record[member] = value;
        record
    }

    fn change(action: &str, record: Value) -> Value {
        json!({"Action": action, "ResourceRecordSet": record})
    }

    fn reasons(records: &[Value], changes: &[Value]) -> Vec<String> {
        match apply(ZONE, &zone(records), changes) {
            Ok(_) => Vec::new(),
            Err(Refusal::Batch(reasons)) => reasons,
            Err(Refusal::Input(reason)) => vec![format!("InvalidInput: {reason}")],
        }
    }

    #[test]
    fn a_batch_that_fits_is_carried_out() {
        let db = cname("db.example.com", "old.");
        let cases = [
            (vec![], vec![change("CREATE", db.clone())]),
            (vec![db.clone()], vec![change("UPSERT", cname("DB.example.com.", "new."))]),
            (vec![db.clone()], vec![change("DELETE", db.clone())]),
            (vec![db.clone()], vec![change("DELETE", db.clone()), change("CREATE", a("db.example.com"))]),
            (vec![weighted("x", 60)], vec![change("UPSERT", weighted("x", 1))]),
            (
                vec![weighted("x", 60), weighted("y", 60)],
                vec![change("UPSERT", weighted("x", 1)), change("UPSERT", weighted("y", 1))],
            ),
            (vec![], vec![change("CREATE", cname("*.example.com", "x."))]),
        ];
        for (records, changes) in cases {
            assert_eq!(reasons(&records, &changes), Vec::<String>::new(), "{changes:?}");
        }
    }

    #[test]
    fn a_batch_that_does_not_fit_is_refused_in_awss_words() {
        let db = cname("db.example.com", "old.");
        let cases = [
            (
                vec![db.clone()],
                change("CREATE", db.clone()),
                "Tried to create resource record set [name='db.example.com.', type='CNAME'] but it already exists",
            ),
            (
                vec![],
                change("DELETE", db.clone()),
                "Tried to delete resource record set [name='db.example.com.', type='CNAME'] but it was not found",
            ),
            (
                vec![db.clone()],
                change("DELETE", with(db.clone(), "TTL", json!(61))),
                "Tried to delete resource record set [name='db.example.com.', type='CNAME'] but the values provided do not match the current values",
            ),
            (
                vec![],
                change("CREATE", cname("example.com", "x.")),
                "RRSet of type CNAME with DNS name example.com. is not permitted at apex in zone example.com.",
            ),
            (
                vec![],
                change("CREATE", cname("other.org", "x.")),
                "RRSet with DNS name other.org. is not permitted in zone example.com.",
            ),
            (
                vec![a("y.example.com")],
                change("CREATE", cname("y.example.com", "x.")),
                "RRSet of type CNAME with DNS name y.example.com. is not permitted as it conflicts with other records with the same DNS name in zone example.com.",
            ),
            (
                vec![db.clone()],
                change("UPSERT", a("db.example.com")),
                "RRSet of type A with DNS name db.example.com. is not permitted because a conflicting RRSet of type CNAME with the same DNS name already exists in zone example.com.",
            ),
            (
                vec![cname("w.example.com", "x.")],
                change("UPSERT", weighted("s", 60)),
                "RRSet with DNS name w.example.com., type CNAME, SetIdentifier s cannot be created as a non-weighted set exists with the same name and type.",
            ),
            (
                vec![weighted("s", 60)],
                change("UPSERT", cname("w.example.com", "x.")),
                "RRSet with DNS name w.example.com., type CNAME cannot be created as other RRSets exist with the same name and type.",
            ),
            (
                vec![weighted("s", 60)],
                change("UPSERT", weighted("t", 1)),
                "RRSet with DNS name w.example.com. and type CNAME, SetIdentifier t cannot be created as weighted sets must contain the same TTL.",
            ),
            (
                vec![],
                change("CREATE", with(a("a.example.com"), "ResourceRecords", json!([{"Value": "10.0.0"}]))),
                "Invalid Resource Record: 'FATAL problem: ARRDATAIllegalIPv4Address (Value is not a valid IPv4 address) encountered with '10.0.0''",
            ),
            (
                vec![],
                change("CREATE", json!({"Name": "a.example.com", "Type": "A", "TTL": 5})),
                "InvalidInput: Invalid request: Expected exactly one of [AliasTarget, all of [TTL, and ResourceRecords], or TrafficPolicyInstanceId], but found none in Change with [Action=CREATE, Name=a.example.com., Type=A, SetIdentifier=null]",
            ),
            (
                vec![],
                change("CREATE", with(a("a.example.com"), "Weight", json!(1))),
                "InvalidInput: Invalid request: Missing field 'SetIdentifier' in Change with [Action=CREATE, Name=a.example.com., Type=A, SetIdentifier=null]",
            ),
        ];
        for (records, change, reason) in cases {
            assert_eq!(reasons(&records, &[change]), [reason]);
        }
    }

    #[test]
    fn one_bad_change_spoils_the_batch_and_every_reason_is_named() {
        let before = zone(&[cname("db.example.com", "old.")]);
        let batch = [
            change("UPSERT", cname("db.example.com", "new.")),
            change("DELETE", a("gone.example.com")),
            change("CREATE", cname("example.com", "x.")),
        ];

        let refused = apply(ZONE, &before, &batch).unwrap_err();

        assert!(matches!(refused, Refusal::Batch(reasons) if reasons.len() == 2));
    }

    #[test]
    fn the_apex_keeps_its_soa_and_its_name_servers() {
        let ns = json!({"Name": ZONE, "Type": "NS", "TTL": 900, "ResourceRecords": [{"Value": "ns."}]});

        assert_eq!(
            reasons(&[], &[change("DELETE", ns)]),
            ["A HostedZone must contain at least one NS record for the zone itself."]
        );
    }

    #[test]
    fn a_batch_has_a_largest_size() {
        let values: Vec<Value> = (0..251).map(|n| json!({"Value": format!("10.0.{}.{}", n / 250, n % 250)})).collect();
        let record = |name: &str| with(a(name), "ResourceRecords", json!(values));
        let upserts = [change("UPSERT", record("a.example.com")), change("UPSERT", record("b.example.com"))];
        let creates = [change("CREATE", record("a.example.com")), change("CREATE", record("b.example.com"))];

        assert_eq!(reasons(&[], &upserts), ["Number of records limit of 1000 exceeded."]);
        assert_eq!(reasons(&[], &creates), Vec::<String>::new());
    }
}
