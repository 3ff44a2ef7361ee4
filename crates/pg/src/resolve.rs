//! Names to addresses, asked afresh each time: a cutover moves a name, so nothing here remembers.

use std::net::{IpAddr, SocketAddr};

use hickory_resolver::Resolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;

use crate::Environment;

/// A name that does not resolve.
#[derive(Debug, thiserror::Error)]
#[error("resolve {host}: {reason}")]
pub struct ResolveError {
    /// The name.
    pub host: String,
    /// What the resolver said.
    pub reason: String,
}

/// The addresses of a host name, following CNAMEs; an address stands for itself.
pub async fn resolve(environment: &Environment, host: &str) -> Result<Vec<IpAddr>, ResolveError> {
    if let Ok(address) = host.parse() {
        return Ok(vec![address]);
    }
    let failed = |reason: String| ResolveError { host: host.to_owned(), reason };
    let resolver = resolver(environment).map_err(failed)?;
    let name = format!("{}.", host.trim_end_matches('.'));
    let answer = resolver.lookup_ip(name).await.map_err(|error| failed(error.to_string()))?;
    Ok(answer.iter().collect())
}

fn resolver(environment: &Environment) -> Result<Resolver<TokioRuntimeProvider>, String> {
    let mut builder = match environment.nameserver {
        Some(server) => Resolver::builder_with_config(only(server), TokioRuntimeProvider::default()),
        None => Resolver::builder_tokio().map_err(|error| error.to_string())?,
    };
    builder.options_mut().cache_size = 0;
    builder.build().map_err(|error| error.to_string())
}

fn only(server: SocketAddr) -> ResolverConfig {
    let with_port = |mut connection: ConnectionConfig| {
        connection.port = server.port();
        connection
    };
    let connections = vec![with_port(ConnectionConfig::udp()), with_port(ConnectionConfig::tcp())];
    ResolverConfig::from_name_servers(vec![NameServerConfig::new(server.ip(), true, connections)])
}
