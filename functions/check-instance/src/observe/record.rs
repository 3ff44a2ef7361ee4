//! The hosted zone and what it says of the record's name.

use aws_sdk_route53::Client;
use aws_sdk_route53::types::ResourceRecordSet;
use pgleap_contract::Record;
use pgleap_record::same_host;
use pgleap_step_kit::prelude::*;

use crate::facts::{RecordSet, Routing, Zone};

pub(super) async fn zone(client: &Client, id: &str) -> Result<Option<Zone>, AwsError> {
    let answer = client.get_hosted_zone().id(id).send().await.doing(format!("get hosted zone {id}")).optional()?;
    Ok(answer.and_then(|answer| answer.hosted_zone).map(|zone| Zone { name: zone.name }))
}

/// Every record set of the name, of whatever type. They are listed side by side; at most a hundred members a type.
/// Source: Amazon Route 53 API reference, ListResourceRecordSets.
pub(super) async fn sets(client: &Client, record: &Record) -> Result<Vec<RecordSet>, AwsError> {
    let mut all = Vec::new();
    let (mut name, mut kind, mut identifier) = (record.name.clone(), None, None);
    loop {
        let list = client
            .list_resource_record_sets()
            .hosted_zone_id(&record.zone_id)
            .start_record_name(name)
            .set_start_record_type(kind)
            .set_start_record_identifier(identifier);
        let page = list.send().await.doing(format!("list records of {}", record.name))?;
        all.extend(page.resource_record_sets.iter().filter(|set| same_host(set.name(), &record.name)).map(plain));
        match page.next_record_name.filter(|next| page.is_truncated && same_host(next, &record.name)) {
            Some(next) => (name, kind, identifier) = (next, page.next_record_type, page.next_record_identifier),
            None => return Ok(all),
        }
    }
}

/// How many pages of the zone are looked through for other names: fifteen thousand records.
const PAGES: usize = 50;

/// Other names of the zone that lead to a host. Clients that follow them stay on the source.
pub(super) async fn leading_to(client: &Client, record: &Record, host: &str) -> Result<Vec<String>, AwsError> {
    let mut all = Vec::new();
    let (mut name, mut kind, mut identifier) = (None, None, None);
    for _ in 0..PAGES {
        let list = client
            .list_resource_record_sets()
            .hosted_zone_id(&record.zone_id)
            .set_start_record_name(name)
            .set_start_record_type(kind)
            .set_start_record_identifier(identifier);
        let page = list.send().await.doing(format!("list records of zone {}", record.zone_id))?;
        let leads = |set: &&ResourceRecordSet| {
            set.resource_records().iter().any(|value| same_host(value.value(), host))
                && !same_host(set.name(), &record.name)
        };
        all.extend(page.resource_record_sets.iter().filter(leads).map(|set| set.name().to_owned()));
        if !page.is_truncated {
            break;
        }
        (name, kind, identifier) = (page.next_record_name, page.next_record_type, page.next_record_identifier);
    }
    all.dedup();
    Ok(all)
}

fn plain(set: &ResourceRecordSet) -> RecordSet {
    let others = [
        ("latency", set.region().is_some()),
        ("geolocation", set.geo_location().is_some()),
        ("failover", set.failover().is_some()),
        ("multivalue answer", set.multi_value_answer() == Some(true)),
        ("IP-based", set.cidr_routing_config().is_some()),
        ("geoproximity", set.geo_proximity_location().is_some()),
        ("traffic policy", set.traffic_policy_instance_id().is_some()),
    ];
    let routing = match (others.iter().find(|(_, has)| *has), set.weight()) {
        (Some((policy, _)), _) => Routing::Other(policy),
        (None, Some(weight)) => Routing::Weighted(weight),
        (None, None) => Routing::Simple,
    };
    RecordSet {
        kind: set.r#type().as_str().to_owned(),
        identifier: set.set_identifier().map(str::to_owned),
        routing,
        values: set.resource_records().iter().map(|record| record.value().to_owned()).collect(),
        ttl: set.ttl(),
    }
}
