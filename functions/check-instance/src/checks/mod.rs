//! The checks, whichever engine copies. Each is a file with one pure function over the facts; a new one is a file and a line in
//! [`ALL`]. Those of an engine are in a folder of its name.

pub(crate) mod backups;
pub(crate) mod carried_on;
pub(crate) mod database_named;
pub(crate) mod instance_class;
pub(crate) mod instance_kind;
pub(crate) mod instance_usable;
pub(crate) mod login_secret;
pub(crate) mod maintenance;
pub(crate) mod names_free;
pub(crate) mod other_records;
pub(crate) mod passed_roles;
pub(crate) mod pending_modifications;
pub(crate) mod proxies;
pub(crate) mod quotas;
pub(crate) mod record;
pub(crate) mod shared_group;
pub(crate) mod source_version;
pub(crate) mod storage_key;
pub(crate) mod upgrade_way;

use pgleap_contract::{CopyEngine, Finding};

use crate::facts::Facts;

/// In the order in which an operator would ask.
const ALL: &[fn(&Facts) -> Vec<Finding>] = &[
    instance_usable::check,
    instance_kind::check,
    source_version::check,
    database_named::check,
    pending_modifications::check,
    maintenance::check,
    shared_group::check,
    backups::check,
    upgrade_way::check,
    instance_class::check,
    login_secret::check,
    record::check,
    other_records::check,
    proxies::check,
    names_free::check,
    quotas::check,
    storage_key::check,
    passed_roles::check,
    carried_on::check,
];

/// What all of them find, and those of the engines that may copy.
pub(crate) fn judge(facts: &Facts) -> Vec<Finding> {
    let copy = &facts.run.copy;
    let mut findings: Vec<Finding> = ALL.iter().flat_map(|check| check(facts)).collect();
    for engine in copy.candidates() {
        let found = of_engine(engine).iter().flat_map(|check| check(facts));
        findings.extend(found.map(|finding| finding.concerning(engine, copy)));
    }
    findings
}

fn of_engine(engine: CopyEngine) -> &'static [fn(&Facts) -> Vec<Finding>] {
    match engine {
        CopyEngine::Dms => crate::dms::CHECKS,
        _ => &[],
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use pgleap_contract::Severity;
    use serde_json::json;

    use super::*;
    use crate::dms::{DmsVersion, Offer};
    use crate::facts::{Instance, Secret, Seen, Subnet};
    use pgleap_record::{RecordSet, Routing, Zone};

    pub(crate) const HOST: &str = "orders.c9x.eu-west-1.rds.amazonaws.com";

    /// A world in which nothing is wrong: a case changes one thing.
    pub(crate) fn good() -> Facts {
        let run = serde_json::from_value(json!({
            "id": "r", "executionArn": "arn", "mode": "upgrade", "copy": {}, "choices": {}, "limits": {},
            "source": {"instance": "orders", "loginSecret": "s"}, "target": {"version": "17", "instance": "orders-v17"},
            "record": {"zoneId": "Z", "name": "db.example.com"}
        }));
        let subnet = |n: u8| Subnet { id: format!("subnet-{n}"), zone: format!("eu-west-1{}", char::from(b'a' + n)) };
        Facts {
            run: run.expect("a run"),
            unseen: Vec::new(),
            source: Seen::Found(Instance {
                status: "available".to_owned(),
                engine: "postgres".to_owned(),
                version: "13.23".to_owned(),
                class: "db.r6g.large".to_owned(),
                database: Some("orders".to_owned()),
                endpoint: Some((HOST.to_owned(), 5432)),
                parameters: "in-sync".to_owned(),
                subnets: vec![subnet(0), subnet(1)],
                security_groups: vec!["sg-1".to_owned()],
                backup_days: 7,
                storage_gib: 100,
                ..Instance::default()
            }),
            way: Some(Ok(vec![pgleap_contract::steps::UpgradeHop {
                version: "17.4".to_owned(),
                family: "postgres17".to_owned(),
            }])),
            class_not_orderable: Vec::new(),
            dms: vec![Offer { version: DmsVersion(3, 6, 1), class: "dms.r6i.large".to_owned() }],
            secret: Seen::Found(Secret::default()),
            zone: Seen::Found(Zone { name: "example.com.".to_owned() }),
            records: vec![RecordSet {
                kind: "CNAME".to_owned(),
                identifier: None,
                routing: Routing::Simple,
                values: vec![HOST.to_owned()],
                ttl: Some(60),
            }],
            other_records: Vec::new(),
            proxies: Vec::new(),
            group_shared_with: Vec::new(),
            maintenance: Vec::new(),
            taken: Vec::new(),
            quotas: Vec::new(),
            keys: crate::facts::Keys::default(),
            passable_roles: Vec::new(),
        }
    }

    /// The good world's source, to be changed.
    pub(crate) fn instance(facts: &mut Facts) -> &mut Instance {
        match &mut facts.source {
            Seen::Found(instance) => instance,
            _ => unreachable!("the good world has a source"),
        }
    }

    /// What all checks find: `b` or `w`, then the id.
    pub(crate) fn found(facts: &Facts) -> Vec<String> {
        let word = |finding: &Finding| match finding.severity {
            Severity::Blocker => format!("b {}", finding.check),
            Severity::Warning => format!("w {}", finding.check),
        };
        judge(facts).iter().map(word).collect()
    }

    /// Asserts what a change of the good world is found as.
    pub(crate) fn assert_found(change: impl FnOnce(&mut Facts), expected: &[&str]) {
        let mut facts = good();
        change(&mut facts);
        assert_eq!(found(&facts), expected, "{facts:#?}");
    }

    #[test]
    fn nothing_is_found_where_nothing_is_wrong() {
        assert_found(|_| (), &[]);
    }

    #[test]
    fn what_could_not_be_seen_is_not_judged() {
        let blind = |facts: &mut Facts| {
            facts.source = Seen::Unseen;
            facts.way = None;
            facts.secret = Seen::Unseen;
            facts.zone = Seen::Unseen;
            facts.records.clear();
        };
        assert_found(blind, &[]);
    }
}
