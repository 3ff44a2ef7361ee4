//! Names as an application resolves them: through the stand-in's resolver, which keeps answers for their TTL. Like glibc, the
//! clients themselves keep nothing.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context, Result};
use hickory_resolver::Resolver;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{RData, RecordType};

/// How all clients of the rehearsal ask, as the programs of one network do.
#[derive(Debug)]
pub struct Names {
    resolver: TokioResolver,
}

/// Where a name leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The last name of the chain, without a dot at the end: what the server's certificate names.
    pub endpoint: String,
    /// Its address.
    pub address: Ipv4Addr,
}

impl Names {
    /// Ask this resolver and no other.
    pub fn new(nameserver: SocketAddr) -> Result<Self> {
        let with_port = |mut connection: ConnectionConfig| {
            connection.port = nameserver.port();
            connection
        };
        let connections = vec![with_port(ConnectionConfig::udp()), with_port(ConnectionConfig::tcp())];
        let servers = vec![NameServerConfig::new(nameserver.ip(), true, connections)];
        let config = ResolverConfig::from_name_servers(servers);
        let mut builder = Resolver::builder_with_config(config, TokioRuntimeProvider::default());
        let options = builder.options_mut();
        options.timeout = std::time::Duration::from_secs(1);
        options.cache_size = 0;
        Ok(Self { resolver: builder.build().context("make a resolver")? })
    }

    /// Follow the name to its address.
    pub async fn resolve(&self, name: &str) -> Result<Answer> {
        let absolute = format!("{}.", name.trim_end_matches('.'));
        let found = self.resolver.lookup(absolute, RecordType::A).await.with_context(|| format!("resolve {name}"))?;
        found
            .answers()
            .iter()
            .find_map(|record| match &record.data {
                RData::A(address) => {
                    let endpoint = record.name.to_utf8().trim_end_matches('.').to_owned();
                    Some(Answer { endpoint, address: address.0 })
                }
                _ => None,
            })
            .with_context(|| format!("resolve {name}: the answer holds no address"))
    }
}
