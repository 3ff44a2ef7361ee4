//! DNS: a resolver that asks the name servers.

mod answer;
mod cache;
mod resolver;
mod server;

pub use server::DnsServer;
