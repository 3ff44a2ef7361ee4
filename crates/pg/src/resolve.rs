//! Names to addresses, asked afresh each time: a cutover moves a name, so nothing here remembers.

use std::net::{IpAddr, SocketAddr};

use hickory_resolver::Resolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;

/// Variable that names another name server (`ip:port`) than the system's: the rehearsal's.
pub(crate) const NAMESERVER_VARIABLE: &str = "PGLEAP_NAMESERVER";

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
pub async fn resolve(host: &str) -> Result<Vec<IpAddr>, ResolveError> {
    if let Ok(address) = host.parse() {
        return Ok(vec![address]);
    }
    let failed = |reason: String| ResolveError { host: host.to_owned(), reason };
    let resolver = resolver().map_err(failed)?;
    let name = format!("{}.", host.trim_end_matches('.'));
    let answer = resolver.lookup_ip(name).await.map_err(|error| failed(error.to_string()))?;
    Ok(answer.iter().collect())
}

fn resolver() -> Result<Resolver<TokioRuntimeProvider>, String> {
    let mut builder = match std::env::var(NAMESERVER_VARIABLE) {
        Ok(address) => {
            let address = address.parse().map_err(|error| format!("{NAMESERVER_VARIABLE}={address}: {error}"))?;
            Resolver::builder_with_config(only(address), TokioRuntimeProvider::default())
        }
        Err(_) => Resolver::builder_tokio().map_err(|error| error.to_string())?,
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
