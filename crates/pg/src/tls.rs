//! TLS by name: the certificate must be signed by Amazon's RDS authorities (or those of the environment's file) and name
//! the host that was asked for.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::Environment;

const RDS_ROOTS: &[u8] = include_bytes!("../certs/rds-roots.pem");

/// A connector for tokio-postgres. Built per connection: parsing the roots takes about a millisecond.
pub(crate) fn connector(environment: &Environment) -> Result<MakeRustlsConnect, String> {
    let roots = match &environment.ca_file {
        Some(path) => {
            let pem = std::fs::read(path);
            parse(&pem.map_err(|error| format!("read the certificate authorities in {}: {error}", path.display()))?)?
        }
        None => parse(RDS_ROOTS)?,
    };
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

fn parse(pem: &[u8]) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| format!("parse a certificate authority: {error}"))?;
        roots.add(certificate).map_err(|error| format!("add a certificate authority: {error}"))?;
    }
    if roots.is_empty() { Err("the file has no certificate authority".to_owned()) } else { Ok(roots) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_roots_parse() {
        assert!(parse(RDS_ROOTS).expect("committed file").len() > 60);
    }

    #[test]
    fn an_empty_file_is_no_authority() {
        assert!(parse(b"").is_err());
    }
}
