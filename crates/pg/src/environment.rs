//! What differs between AWS and a rehearsal: who resolves names and which authority is trusted. Read from variables once
//! per process and then handed down, so that tests can name another one per call.

use std::net::SocketAddr;
use std::path::PathBuf;

/// Variable that names another name server (`ip:port`) than the system's.
const NAMESERVER_VARIABLE: &str = "PGLEAP_NAMESERVER";
/// Variable that names a PEM file to trust instead of the built-in roots.
const CA_FILE_VARIABLE: &str = "PGLEAP_CA_FILE";

/// Name server and authority. The default is AWS: the system's resolver, Amazon's RDS roots.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Environment {
    /// Ask this server for names.
    pub nameserver: Option<SocketAddr>,
    /// Trust the authorities in this PEM file only.
    pub ca_file: Option<PathBuf>,
}

impl Environment {
    /// From `PGLEAP_NAMESERVER` and `PGLEAP_CA_FILE`; the reason if an address does not parse.
    pub fn from_variables() -> Result<Self, String> {
        Ok(Self {
            nameserver: match std::env::var(NAMESERVER_VARIABLE) {
                Ok(address) => Some(parse(&address)?),
                Err(_) => None,
            },
            ca_file: std::env::var_os(CA_FILE_VARIABLE).map(PathBuf::from),
        })
    }
}

fn parse(address: &str) -> Result<SocketAddr, String> {
    address.parse().map_err(|error| format!("read {NAMESERVER_VARIABLE}={address}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_server_is_an_address_with_a_port() {
        assert!(parse("127.0.0.1:5353").is_ok());
        for text in ["127.0.0.1", "ns.example:53", ""] {
            assert!(parse(text).expect_err("no address").contains(NAMESERVER_VARIABLE), "{text}");
        }
    }
}
