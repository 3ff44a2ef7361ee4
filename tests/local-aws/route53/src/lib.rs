//! Route 53 of the local AWS: hosted zones behind the API, and a DNS server that answers them.
//!
//! A change is visible in the API at once and PENDING until the name servers have it: until then the DNS server
//! answers the old data, as AWS's do. So a run that trusts a submitted change, or a client that keeps an answer for
//! its TTL, fails here as it would there.

mod change;
mod dns;
mod names;
mod record_set;
mod service;
mod zones;

pub use dns::DnsServer;
pub use service::Route53;
pub use zones::Zones;
