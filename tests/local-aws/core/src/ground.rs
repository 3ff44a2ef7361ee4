//! The network between DMS and the databases: who is let in. Rules are made by EC2's API and asked by DMS.
//!
//! Usually everybody is let in, as by a group that lets its own members in. A test closes the ground: then only rules count.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;

/// An inbound rule: TCP from one range of addresses to some ports.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// `sgr-..`
    pub id: String,
    /// `sg-..`
    pub group: String,
    /// First and last port.
    pub ports: (u16, u16),
    /// An address with the length of its prefix.
    pub cidr: String,
    /// For people.
    pub description: Option<String>,
    /// As EC2 has them: `[{"Key": .., "Value": ..}]`
    pub tags: Value,
}

impl Rule {
    fn lets_in(&self, from: Ipv4Addr, port: u16) -> bool {
        let (address, length) = self.cidr.split_once('/').unwrap_or((&self.cidr, "32"));
        let (Ok(address), Ok(length)) = (address.parse::<Ipv4Addr>(), length.parse::<u32>()) else { return false };
        let mask = u32::MAX.checked_shl(32 - length.min(32)).unwrap_or(0);
        let same_net = u32::from(address) & mask == u32::from(from) & mask;
        same_net && (self.ports.0..=self.ports.1).contains(&port)
    }
}

/// Who is let in. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Ground {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    closed: bool,
    /// How many rules a group may have.
    most: Option<usize>,
    rules: Vec<Rule>,
    given: u32,
}

impl Ground {
    /// From now on only rules let somebody in.
    pub fn close(&self) {
        self.lock().closed = true;
    }

    /// Every group has as many rules as the account's quota allows.
    pub fn reach_quota(&self) {
        let mut inner = self.lock();
        inner.most = Some(inner.rules.len());
    }

    /// Whether no further rule may be added.
    pub fn is_full(&self) -> bool {
        let inner = self.lock();
        inner.most.is_some_and(|most| inner.rules.len() >= most)
    }

    /// Whether a connection to a database gets through; else it times out.
    pub fn lets_in(&self, from: Ipv4Addr, port: u16) -> bool {
        let inner = self.lock();
        !inner.closed || inner.rules.iter().any(|rule| rule.lets_in(from, port))
    }

    /// All rules.
    pub fn rules(&self) -> Vec<Rule> {
        self.lock().rules.clone()
    }

    /// Add one, which gets its id; `None` if there is one of the same group, ports and range.
    pub fn add(&self, mut rule: Rule) -> Option<Rule> {
        let mut inner = self.lock();
        let same = |other: &Rule| (&other.group, other.ports, &other.cidr) == (&rule.group, rule.ports, &rule.cidr);
        if inner.rules.iter().any(same) {
            return None;
        }
        inner.given += 1;
        rule.id = format!("sgr-0local{:08}", inner.given);
        inner.rules.push(rule.clone());
        Some(rule)
    }

    /// Remove one of a group; false if there is none.
    pub fn remove(&self, group: &str, id: &str) -> bool {
        let mut inner = self.lock();
        let before = inner.rules.len();
        inner.rules.retain(|rule| !(rule.group == group && rule.id == id));
        inner.rules.len() < before
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_ground_lets_in_by_rule_alone() {
        let ground = Ground::default();
        let address = Ipv4Addr::new(10, 0, 0, 9);
        assert!(ground.lets_in(address, 5432));
        ground.close();
        assert!(!ground.lets_in(address, 5432));

        let rule = |cidr: &str| Rule {
            id: String::new(),
            group: "sg-1".to_owned(),
            ports: (5432, 5432),
            cidr: cidr.to_owned(),
            description: None,
            tags: Value::Null,
        };
        let added = ground.add(rule("10.0.0.9/32"));

        assert!(ground.lets_in(address, 5432) && !ground.lets_in(address, 5433));
        assert!(!ground.lets_in(Ipv4Addr::new(10, 0, 0, 8), 5432));
        assert_eq!(ground.add(rule("10.0.0.9/32")), None);
        assert!(added.is_some_and(|rule| ground.remove("sg-1", &rule.id)) && !ground.lets_in(address, 5432));
    }
}
