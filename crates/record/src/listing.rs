//! What a zone says of names, for those that judge it before a run: the record's own, and others that lead to a host.

use aws_sdk_route53::types::ResourceRecordSet;
use pgleap_contract::Record;
use pgleap_step_kit::aws::{AwsError, Doing, Optional};

use crate::{Records, same_host};

/// How many pages of the zone are looked through for other names: fifteen thousand records.
const PAGES: usize = 50;

/// A hosted zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    /// With a trailing dot.
    pub name: String,
}

/// One record set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordSet {
    /// `CNAME`, `A`, ..
    pub kind: String,
    /// What tells it from the others of its group; none for a simple record.
    pub identifier: Option<String>,
    /// How Route 53 chooses it.
    pub routing: Routing,
    /// Empty for an alias.
    pub values: Vec<String>,
    /// In seconds; none for an alias.
    pub ttl: Option<i64>,
}

/// How Route 53 chooses among the members of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Routing {
    /// There is one member.
    Simple,
    /// By weight, from 0 to 255.
    Weighted(i64),
    /// Latency, failover, geolocation, ..
    Other(&'static str),
}

impl Records {
    /// A hosted zone, if there is one of that id.
    pub async fn zone(&self, id: &str) -> Result<Option<Zone>, AwsError> {
        let answer = self.client.get_hosted_zone().id(id).send().await;
        let found = self.advised(answer.doing(format!("get hosted zone {id}"))).optional()?;
        Ok(found.and_then(|found| found.hosted_zone).map(|zone| Zone { name: zone.name }))
    }

    /// Every record set of the name, of whatever type. They are listed side by side; at most a hundred members a type.
    /// Source: Amazon Route 53 API reference, ListResourceRecordSets.
    pub async fn sets(&self, record: &Record) -> Result<Vec<RecordSet>, AwsError> {
        let mut all = Vec::new();
        let (mut name, mut kind, mut identifier) = (record.name.clone(), None, None);
        loop {
            let list = self
                .client
                .list_resource_record_sets()
                .hosted_zone_id(&record.zone_id)
                .start_record_name(name)
                .set_start_record_type(kind)
                .set_start_record_identifier(identifier);
            let page = self.advised(list.send().await.doing(format!("list records of {}", record.name)))?;
            all.extend(page.resource_record_sets.iter().filter(|set| same_host(set.name(), &record.name)).map(plain));
            match page.next_record_name.filter(|next| page.is_truncated && same_host(next, &record.name)) {
                Some(next) => (name, kind, identifier) = (next, page.next_record_type, page.next_record_identifier),
                None => return Ok(all),
            }
        }
    }

    /// Other names of the zone that lead to a host. Clients that follow them stay on the source.
    pub async fn leading_to(&self, record: &Record, host: &str) -> Result<Vec<String>, AwsError> {
        let mut all = Vec::new();
        let (mut name, mut kind, mut identifier) = (None, None, None);
        for _ in 0..PAGES {
            let list = self
                .client
                .list_resource_record_sets()
                .hosted_zone_id(&record.zone_id)
                .set_start_record_name(name)
                .set_start_record_type(kind)
                .set_start_record_identifier(identifier);
            let page = self.advised(list.send().await.doing(format!("list records of zone {}", record.zone_id)))?;
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
