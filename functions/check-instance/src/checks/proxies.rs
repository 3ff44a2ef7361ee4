//! RDS Proxies whose target is the source: a proxy keeps its target, so its clients do not move with the record.
//! Source: Amazon RDS user guide, "Quotas and limitations for RDS Proxy"; decision 80.

use pgleap_contract::Finding;
use pgleap_rds::{Proxy, ProxyTarget};
use pgleap_record::same_host;

use crate::facts::{Facts, Instance};

const ID: &str = "proxy";

pub(crate) fn check(facts: &Facts) -> Vec<Finding> {
    let Some(source) = facts.source.found() else { return Vec::new() };
    let has_source =
        |proxy: &&Proxy| proxy.targets.iter().any(|target| is_source(target, &facts.run.source.instance, source));
    facts.proxies.iter().filter(has_source).map(|proxy| finding(proxy, &facts.run.record.name)).collect()
}

/// RDS may leave out any of the three, and a cluster may have the identifier of an instance.
fn is_source(target: &ProxyTarget, name: &str, source: &Instance) -> bool {
    let has_arn = target.arn.as_deref().is_some_and(|arn| !arn.is_empty() && arn == source.arn);
    let is_instance = target.kind.as_deref() == Some("RDS_INSTANCE");
    let has_name = target.identifier.as_deref().is_some_and(|identifier| identifier.eq_ignore_ascii_case(name));
    let both = target.endpoint.as_deref().zip(source.endpoint.as_ref());
    let has_host = both.is_some_and(|(at, (host, _port))| same_host(at, host));
    has_arn || (is_instance && has_name) || has_host
}

fn finding(proxy: &Proxy, record: &str) -> Finding {
    let name = &proxy.name;
    let endpoint = proxy.endpoint.as_deref().unwrap_or("it has no endpoint yet");
    let found = format!(
        "RDS Proxy {name} ({endpoint}) has the source as its target. The run does not change the targets of a proxy, so clients of this \
         proxy lose the database from the fence on, and they do not move to the target"
    );
    let remedy = format!(
        "before the run, let these clients connect to {record} directly. If they need a proxy, create a second proxy with the same settings, \
         register the target instance with it as soon as that exists, and have the run move the clients to its endpoint, in the secret that \
         they read (clients.secrets) or by a function of yours (clients.hooks). Do not change the targets of {name} during the run: a proxy has no database while its \
         target changes, which can take minutes"
    );
    Finding::warning(ID, found, remedy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::tests::{HOST, assert_found, good, instance};

    const ARN: &str = "arn:aws:rds:eu-west-1:111122223333:db:orders";

    fn target(arn: Option<&str>, kind: &str, identifier: &str, endpoint: Option<&str>) -> ProxyTarget {
        let text = |text: Option<&str>| text.map(str::to_owned);
        ProxyTarget {
            arn: text(arn),
            kind: Some(kind.to_owned()),
            identifier: Some(identifier.to_owned()),
            endpoint: text(endpoint),
        }
    }

    fn add(facts: &mut Facts, targets: Vec<ProxyTarget>) {
        instance(facts).arn = ARN.to_owned();
        facts.proxies.push(Proxy { name: "pool".to_owned(), endpoint: None, targets });
    }

    #[test]
    fn a_target_is_the_source_by_its_arn_its_name_or_its_host() {
        let upper = HOST.to_uppercase();
        let cases = [
            (target(Some(ARN), "RDS_INSTANCE", "other", None), true),
            (target(None, "RDS_INSTANCE", "Orders", None), true),
            (target(None, "RDS_INSTANCE", "other", Some(&upper)), true),
            (target(None, "TRACKED_CLUSTER", "orders", None), false),
            (target(None, "RDS_INSTANCE", "orders-2", Some("orders-2.c9x.eu-west-1.rds.amazonaws.com")), false),
            (target(Some("arn:aws:rds:eu-west-1:111122223333:db:orders-2"), "RDS_INSTANCE", "orders-2", None), false),
            (ProxyTarget::default(), false),
        ];
        for (target, is_source) in cases {
            let expected: &[&str] = if is_source { &["w proxy"] } else { &[] };
            assert_found(|facts| add(facts, vec![target.clone()]), expected);
        }
    }

    /// Whatever RDS leaves empty on both sides says nothing.
    #[test]
    fn what_is_absent_on_both_sides_does_not_match() {
        let mut facts = good();
        add(&mut facts, vec![target(None, "RDS_INSTANCE", "", None), target(Some(""), "RDS_INSTANCE", "", Some(""))]);
        instance(&mut facts).arn = String::new();
        instance(&mut facts).endpoint = None;

        assert_eq!(check(&facts), []);
    }

    #[test]
    fn each_proxy_of_the_source_has_a_finding_of_its_own() {
        let source = || target(None, "RDS_INSTANCE", "orders", None);
        let change = |facts: &mut Facts| {
            add(facts, vec![source()]);
            add(facts, Vec::new());
            add(facts, vec![target(None, "RDS_INSTANCE", "people", None), source()]);
        };
        assert_found(change, &["w proxy", "w proxy"]);
    }
}
