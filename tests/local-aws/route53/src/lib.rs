//! Route 53 of the local AWS: hosted zones behind the API, and a DNS server that answers them.
//!
//! A change is visible in the API at once and PENDING until all four name servers have it. Each name server answers the old
//! data until the change has reached it, as AWS's do. Clients ask a resolver, which asks any of the name servers and keeps
//! answers for their TTL. So a run that trusts a submitted change, or that forgets that resolvers keep answers, fails here
//! as it would there.

mod change;
mod dns;
mod name_server;
mod names;
mod propagation;
mod record_set;
mod service;
mod zones;

pub use dns::DnsServer;
pub use propagation::Propagation;
pub use service::Route53;
pub use zones::{Propagated, Zones};
