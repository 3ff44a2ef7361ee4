//! Free ports, and an address per instance in 127.0.0.0/8.

use std::collections::HashSet;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};

use crate::{Error, Result};

/// A TCP port that nobody listens on, on any loopback address, at this moment.
pub fn free_port() -> Result<u16> {
    let listener =
        TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).map_err(|error| Error::NoAddress(error.to_string()))?;
    listener.local_addr().map(|address| address.port()).map_err(|error| Error::NoAddress(error.to_string()))
}

/// Hands out loopback addresses, each to one instance: all instances share one port, because a CNAME moves a client
/// to another address and never to another port.
#[derive(Debug, Clone, Default)]
pub struct LoopbackAddresses {
    taken: Arc<Mutex<HashSet<Ipv4Addr>>>,
}

/// Enough tries to pass every address that other programs could hold, few enough to end.
const TRIES: u32 = 1000;

impl LoopbackAddresses {
    /// An address that was not handed out before and on which `port` is free.
    pub fn take(&self, port: u16) -> Result<Ipv4Addr> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        for number in 0..TRIES {
            let address = candidate(std::process::id(), taken.len() as u32 + number);
            if !taken.contains(&address) && TcpListener::bind(SocketAddrV4::new(address, port)).is_ok() {
                taken.insert(address);
                return Ok(address);
            }
        }
        Err(Error::NoAddress(format!("port {port} is taken on {TRIES} loopback addresses")))
    }

    /// An instance is gone; its address may serve another.
    pub fn give_back(&self, address: Ipv4Addr) {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).remove(&address);
    }
}

/// Addresses of one process lie in one /24, far from 127.0.0.x where other programs of the machine live.
fn candidate(process: u32, number: u32) -> Ipv4Addr {
    let place = process.wrapping_mul(254).wrapping_add(number) % (200 * 254 * 254);
    let (a, rest) = (place / (254 * 254), place % (254 * 254));
    Ipv4Addr::new(127, 20 + a as u8, 1 + (rest / 254) as u8, 1 + (rest % 254) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_differ_and_are_loopback() {
        let addresses = LoopbackAddresses::default();
        let port = free_port().unwrap();

        let handed_out: HashSet<_> = (0..300).map(|_| addresses.take(port).unwrap()).collect();

        assert_eq!(handed_out.len(), 300);
        assert!(handed_out.iter().all(Ipv4Addr::is_loopback));
    }

    #[test]
    fn an_address_whose_port_is_taken_is_passed_over() {
        let port = free_port().unwrap();
        let first = LoopbackAddresses::default().take(port).unwrap();
        let _listener = TcpListener::bind((first, port)).unwrap();

        assert_ne!(LoopbackAddresses::default().take(port).unwrap(), first);
    }
}
