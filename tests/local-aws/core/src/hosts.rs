//! The names of RDS endpoints and the loopback addresses behind them: filled by RDS, read by DNS and DMS.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};

/// Host name (lower case, no trailing dot) to address. Every instance has an address of its own in 127.0.0.0/8 and
/// all share one port, because a CNAME moves a client to another address but never to another port.
#[derive(Debug, Clone, Default)]
pub struct Hosts {
    names: Arc<Mutex<HashMap<String, Ipv4Addr>>>,
}

impl Hosts {
    /// Name an address.
    pub fn set(&self, name: &str, address: Ipv4Addr) {
        self.lock().insert(canonical(name), address);
    }

    /// Forget a name.
    pub fn remove(&self, name: &str) {
        self.lock().remove(&canonical(name));
    }

    /// The address behind a name.
    pub fn get(&self, name: &str) -> Option<Ipv4Addr> {
        self.lock().get(&canonical(name)).copied()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Ipv4Addr>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn canonical(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}
