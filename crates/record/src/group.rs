//! Reading the group, and comparing the names in it.

use aws_sdk_route53::types::{ResourceRecord, ResourceRecordSet, RrType};
use pgleap_contract::Record;
use pgleap_step_kit::aws::{AwsError, Doing};

use crate::Records;

/// One record set of the group.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// The whole, as Route 53 answers it: nothing is lost when it is sent back.
    pub(crate) set: ResourceRecordSet,
}

impl Member {
    /// A simple CNAME that leads to a host, with a TTL in seconds.
    pub fn cname(name: &str, host: &str, ttl: u32) -> Self {
        let record = ResourceRecord::builder().value(host).build().expect("the value is set");
        let set = ResourceRecordSet::builder().name(name).r#type(RrType::Cname).ttl(i64::from(ttl));
        Self { set: set.resource_records(record).build().expect("name and type are set") }
    }

    /// An alias: it has neither a value nor a TTL of its own.
    pub fn alias(name: &str) -> Self {
        let set = ResourceRecordSet::builder().name(name).r#type(RrType::Cname);
        Self { set: set.build().expect("name and type are set") }
    }

    /// What tells it from the others of its group; none for a simple record.
    pub fn set_identifier(&self) -> Option<&str> {
        self.set.set_identifier()
    }

    /// The host name that it leads to; none if it is an alias.
    pub fn value(&self) -> Option<&str> {
        self.set.resource_records().first().map(|record| record.value())
    }

    /// In seconds; none if it is an alias.
    pub fn ttl(&self) -> Option<u32> {
        self.set.ttl().and_then(|ttl| u32::try_from(ttl).ok())
    }
}

impl Records {
    /// The members of the record's group, in the order of Route 53; none if there is no such CNAME. The listing shows the
    /// newest state, also while a change of it spreads (AWS documentation, ListResourceRecordSets).
    pub async fn members(&self, record: &Record) -> Result<Vec<Member>, AwsError> {
        let mut members = Vec::new();
        let mut start_identifier = None;
        loop {
            let answer = self
                .client
                .list_resource_record_sets()
                .hosted_zone_id(&record.zone_id)
                .start_record_name(&record.name)
                .start_record_type(RrType::Cname)
                .set_start_record_identifier(start_identifier)
                .send()
                .await;
            let page =
                self.advised(answer.doing(format!("list records of {} in zone {}", record.name, record.zone_id)))?;
            let ours = |set: &ResourceRecordSet| same_host(set.name(), &record.name) && *set.r#type() == RrType::Cname;
            let more = page.is_truncated
                && page.next_record_name.as_deref().is_some_and(|next| same_host(next, &record.name))
                && page.next_record_type == Some(RrType::Cname);
            members.extend(page.resource_record_sets.into_iter().filter(ours).map(|set| Member { set }));
            if !more {
                return Ok(members);
            }
            start_identifier = page.next_record_identifier;
        }
    }
}

/// DNS knows neither case nor the trailing dot.
pub fn same_host(one: &str, other: &str) -> bool {
    plain(one) == plain(other)
}

/// Whether a host is the endpoint of the RDS instance of this name: `<instance>.<hash>.<region>.rds.amazonaws.com`
/// (Amazon RDS user guide, "Connecting to a DB instance").
pub fn names_instance(host: &str, instance: &str) -> bool {
    plain(host).split_once('.').is_some_and(|(first, _rest)| first == instance.to_ascii_lowercase())
}

fn plain(host: &str) -> String {
    host.trim_end_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_compared_as_dns_does() {
        assert!(same_host("Orders-DB.example.com.", "orders-db.example.com"));
        assert!(!same_host("orders-db.example.com", "orders-db2.example.com"));
    }

    #[test]
    fn an_endpoint_begins_with_its_instance() {
        let cases = [
            ("orders-v18.c9x.eu-west-1.rds.amazonaws.com", true),
            ("ORDERS-V18.c9x.eu-west-1.rds.amazonaws.com.", true),
            ("orders.c9x.eu-west-1.rds.amazonaws.com", false),
            ("orders-v18-replica.c9x.eu-west-1.rds.amazonaws.com", false),
            ("orders-v18", false),
        ];
        for (host, expected) in cases {
            assert_eq!(names_instance(host, "orders-v18"), expected, "{host}");
        }
    }
}
