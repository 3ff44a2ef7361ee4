//! The name servers.

mod answer;
mod server;

pub use server::DnsServer;
