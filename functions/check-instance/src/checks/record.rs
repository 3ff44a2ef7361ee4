//! The record is one that the cutover can move: a CNAME, simple or weighted, that leads to the source.

use pgleap_contract::Finding;
use pgleap_record::{RecordSet, Routing, same_host};

use crate::facts::{Facts, Seen};

const ID: &str = "record";
const ELSEWHERE: &str = "record-elsewhere";
const TTL: &str = "record-ttl";

/// A TTL in seconds above which the wait for old answers is worth a warning.
const LONG_TTL: i64 = 3_600;

pub(crate) fn check(facts: &Facts) -> Vec<Finding> {
    let record = &facts.run.record;
    match &facts.zone {
        Seen::Unseen => return Vec::new(),
        Seen::Missing => {
            let found = format!("hosted zone {} does not exist", record.zone_id);
            let remedy = "set record.zoneId to the ID of the hosted zone that contains record.name";
            return vec![Finding::blocker(ID, found, remedy)];
        }
        Seen::Found(zone) if !is_under(&record.name, &zone.name) => {
            let found = format!("{} is not in hosted zone {} ({})", record.name, record.zone_id, zone.name);
            let remedy = format!(
                "record.name must end in .{}; otherwise, set record.zoneId to the zone that contains it",
                zone.name.trim_end_matches('.')
            );
            return vec![Finding::blocker(ID, found, remedy)];
        }
        Seen::Found(_) => (),
    }
    let endpoint = facts.source.found().and_then(|instance| instance.endpoint.as_ref());
    let (members, others): (Vec<_>, Vec<_>) = facts.records.iter().partition(|set| set.kind == "CNAME");
    if members.is_empty() {
        let kinds: Vec<_> = others.iter().map(|set| set.kind.as_str()).collect();
        let found = match kinds[..] {
            [] => format!("there is no record {} in zone {}", record.name, record.zone_id),
            _ => format!("{} is not a CNAME, but {}", record.name, kinds.join(", ")),
        };
        let remedy = match endpoint {
            Some((host, _port)) => {
                format!("set record.name to the name that the clients use; it must be a CNAME to {host}")
            }
            None => "set record.name to the name that the clients use; it must be a CNAME to the source's endpoint"
                .to_owned(),
        };
        return vec![Finding::blocker(ID, found, remedy)];
    }
    let mut findings: Vec<_> = members.iter().filter_map(|member| unfit(&record.name, member)).collect();
    if let Some((host, _port)) = endpoint {
        findings.extend(leads_to(&record.name, &members, host));
    }
    findings.extend(long_ttl(&record.name, &members));
    findings
}

fn is_under(name: &str, zone: &str) -> bool {
    let zone = zone.trim_end_matches('.').to_ascii_lowercase();
    name.strip_suffix(zone.as_str()).is_some_and(|rest| rest.ends_with('.'))
}

fn unfit(name: &str, member: &RecordSet) -> Option<Finding> {
    let label = member.identifier.as_deref().map_or(String::new(), |identifier| format!(" (set {identifier})"));
    let found = match (&member.routing, member.values.len()) {
        (Routing::Other(policy), _) => format!("{name}{label} has {policy} routing"),
        (_, 1) => return None,
        (_, 0) => format!("{name}{label} is an alias"),
        _ => format!("{name}{label} has several values"),
    };
    Some(Finding::blocker(
        ID,
        found,
        "record.name must be a CNAME with one value and with simple or weighted routing: the run can move no other record",
    ))
}

/// Members that name another host keep it; where one of those gets traffic, clients are not all on the source.
fn leads_to(name: &str, members: &[&RecordSet], endpoint: &str) -> Option<Finding> {
    let here = |member: &RecordSet| member.values.iter().any(|value| same_host(value, endpoint));
    let gets_traffic = |member: &RecordSet| member.routing != Routing::Weighted(0);
    if !members
        .iter()
        .any(|member| here(member) && (gets_traffic(member) || members.iter().all(|other| !gets_traffic(other))))
    {
        let values: Vec<_> = members.iter().flat_map(|member| &member.values).map(String::as_str).collect();
        let found = format!("{name} leads to {}, not to the source's endpoint {endpoint}", values.join(", "));
        let remedy = format!(
            "set record.name to the name that the clients of this source use; it must be a CNAME to {endpoint}"
        );
        return Some(Finding::blocker(ID, found, remedy));
    }
    let elsewhere: Vec<_> = members.iter().filter(|member| !here(member) && gets_traffic(member)).collect();
    let values: Vec<_> = elsewhere.iter().flat_map(|member| &member.values).map(String::as_str).collect();
    (!values.is_empty()).then(|| {
        let found = format!("{name} also leads to {}; the run does not change those members", values.join(", "));
        Finding::warning(ELSEWHERE, found, "make sure that nobody writes through them")
    })
}

fn long_ttl(name: &str, members: &[&RecordSet]) -> Option<Finding> {
    let ttl = members.iter().filter_map(|member| member.ttl).max().filter(|ttl| *ttl > LONG_TTL)?;
    let found =
        format!("{name} has a TTL of {ttl} s; after lowering it, the run has to wait that long before the cutover");
    Some(Finding::warning(TTL, found, "lower the TTL now to avoid this wait"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::tests::{HOST, assert_found, good};

    fn member(identifier: &str, weight: i64, value: &str) -> RecordSet {
        RecordSet {
            kind: "CNAME".to_owned(),
            identifier: Some(identifier.to_owned()),
            routing: Routing::Weighted(weight),
            values: vec![value.to_owned()],
            ttl: Some(60),
        }
    }

    #[test]
    fn a_record_that_cannot_be_moved_is_found() {
        assert_found(|facts| facts.zone = Seen::Missing, &["b record"]);
        assert_found(|facts| facts.run.record.name = "db.example.org".to_owned(), &["b record"]);
        assert_found(|facts| facts.run.record.name = "example.com".to_owned(), &["b record"]);
        assert_found(|facts| facts.records.clear(), &["b record"]);
        assert_found(|facts| facts.records[0].kind = "A".to_owned(), &["b record"]);
        assert_found(|facts| facts.records[0].routing = Routing::Other("latency"), &["b record"]);
        assert_found(|facts| facts.records[0].values = vec!["other.example.com".to_owned()], &["b record"]);
        assert_found(|facts| facts.records[0].values.clear(), &["b record", "b record"]);
    }

    #[test]
    fn a_wrong_record_is_told_with_the_input_field_and_what_would_be_right() {
        type Spoil = fn(&mut Facts);
        let cases: [(Spoil, &[&str]); 5] = [
            (|facts| facts.zone = Seen::Missing, &["record.zoneId", "hosted zone Z"]),
            (|facts| facts.run.record.name = "db.example.org".to_owned(), &["record.name", ".example.com"]),
            (|facts| facts.records.clear(), &["record.name", "db.example.com in zone Z", HOST]),
            (|facts| facts.records[0].kind = "A".to_owned(), &["record.name", "but A", HOST]),
            (
                |facts| facts.records[0].values = vec!["other.example.com".to_owned()],
                &["record.name", "other.example.com", HOST],
            ),
        ];
        for (spoil, words) in cases {
            let mut facts = good();
            spoil(&mut facts);
            let told: Vec<_> =
                check(&facts).iter().map(|finding| format!("{}: {}", finding.found, finding.remedy)).collect();

            assert!(
                told.len() == 1 && words.iter().all(|word| told[0].contains(word)),
                "{told:?} lacks one of {words:?}"
            );
        }
    }

    #[test]
    fn a_group_that_leads_to_the_source_will_do() {
        assert_found(|facts| facts.records[0].values = vec![format!("{}.", HOST.to_uppercase())], &[]);
        assert_found(|facts| facts.records = vec![member("a", 10, HOST), member("b", 0, "other")], &[]);
        assert_found(|facts| facts.records = vec![member("a", 0, HOST), member("b", 0, "other")], &[]);
        assert_found(|facts| facts.records = vec![member("a", 0, HOST), member("b", 5, "other")], &["b record"]);
        assert_found(
            |facts| facts.records = vec![member("a", 10, HOST), member("b", 5, "other")],
            &["w record-elsewhere"],
        );
        assert_found(|facts| facts.records[0].ttl = Some(86_400), &["w record-ttl"]);
    }
}
