//! A record set: what the API keeps of it is kept whole; what the rules need is read out of it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::names::{canonical, sort_key};

/// What makes a record set itself: in the order in which Route 53 lists them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    labels: Vec<String>,
    kind: String,
    identifier: Option<String>,
}

impl Key {
    /// The first key at or after a name, a type and an identifier, each optional from the right.
    pub(crate) fn starting_at(name: &str, kind: Option<&str>, identifier: Option<&str>) -> Self {
        Self {
            labels: sort_key(&canonical(name)),
            kind: kind.unwrap_or_default().to_owned(),
            identifier: identifier.map(str::to_owned),
        }
    }
}

/// The record sets of a zone, in Route 53's order.
pub(crate) type Records = BTreeMap<Key, RecordSet>;

/// One record set with all its members as they were sent, the name in its canonical form.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RecordSet {
    members: Value,
}

impl RecordSet {
    /// From the model's `ResourceRecordSet`.
    pub(crate) fn of(members: &Value) -> Self {
        let mut members = members.clone();
        let name = canonical(members["Name"].as_str().unwrap_or_default());
        members["Name"] = json!(name);
        if let Some(target) = members.get("AliasTarget").and_then(|alias| alias["DNSName"].as_str()) {
            let target = canonical(target);
            members["AliasTarget"]["DNSName"] = json!(target);
        }
        Self { members }
    }

    /// A simple record set.
    pub(crate) fn simple(name: &str, kind: &str, ttl: u32, values: &[String]) -> Self {
        let values: Vec<Value> = values.iter().map(|value| json!({"Value": value})).collect();
        Self::of(&json!({"Name": name, "Type": kind, "TTL": ttl, "ResourceRecords": values}))
    }

    /// The model's `ResourceRecordSet`.
    pub(crate) fn members(&self) -> &Value {
        &self.members
    }

    pub(crate) fn key(&self) -> Key {
        Key::starting_at(self.name(), Some(self.kind()), self.identifier())
    }

    /// With its trailing dot.
    pub(crate) fn name(&self) -> &str {
        self.str("Name").unwrap_or_default()
    }

    /// `A`, `CNAME`, ..
    pub(crate) fn kind(&self) -> &str {
        self.str("Type").unwrap_or_default()
    }

    pub(crate) fn identifier(&self) -> Option<&str> {
        self.str("SetIdentifier")
    }

    /// Seconds; an alias has none.
    pub(crate) fn ttl(&self) -> Option<u32> {
        self.members["TTL"].as_u64().and_then(|ttl| u32::try_from(ttl).ok())
    }

    pub(crate) fn weight(&self) -> Option<u64> {
        self.members["Weight"].as_u64()
    }

    pub(crate) fn values(&self) -> Vec<&str> {
        let records = self.members["ResourceRecords"].as_array().into_iter().flatten();
        records.filter_map(|record| record["Value"].as_str()).collect()
    }

    /// The name that an alias stands for.
    pub(crate) fn alias_target(&self) -> Option<&str> {
        self.members["AliasTarget"]["DNSName"].as_str()
    }

    pub(crate) fn has(&self, member: &str) -> bool {
        self.members.get(member).is_some_and(|value| !value.is_null())
    }

    /// `SECONDARY` is answered only when the primary is not, which needs health checks.
    pub(crate) fn is_standby(&self) -> bool {
        self.str("Failover") == Some("SECONDARY")
    }

    pub(crate) fn str(&self, member: &str) -> Option<&str> {
        self.members[member].as_str()
    }
}
