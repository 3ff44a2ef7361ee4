//! The stand-in's own certificate authority, and connections that trust it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use tokio_postgres::{Client, Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::{Error, Result};

/// Plays Amazon's RDS authority: clients trust its certificate and verify the host name, as they do on RDS.
#[derive(Debug)]
pub struct CertificateAuthority {
    issuer: Issuer<'static, KeyPair>,
    certificate_path: PathBuf,
    certificate_pem: String,
}

/// A server's certificate and key in PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerCertificate {
    /// The certificate chain.
    pub certificate_pem: String,
    /// The private key.
    pub key_pem: String,
    /// The certificates of the authority that signed it: a server with a subscription is a client, and verifies.
    pub authority_pem: String,
}

impl std::fmt::Debug for ServerCertificate {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("ServerCertificate")
    }
}

impl CertificateAuthority {
    /// Make a new authority and write its certificate to `<folder>/ca.pem`. Its key stays in memory.
    pub fn create(folder: &Path) -> Result<Self> {
        let mut parameters = CertificateParams::default();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        parameters.distinguished_name.push(DnType::CommonName, "pgleap local RDS root CA");
        let key = KeyPair::generate().map_err(failed)?;
        let certificate = parameters.self_signed(&key).map_err(failed)?;

        let certificate_path = folder.join("ca.pem");
        let certificate_pem = certificate.pem();
        std::fs::write(&certificate_path, &certificate_pem).map_err(Error::file("write", &certificate_path))?;
        Ok(Self { issuer: Issuer::new(parameters, key), certificate_path, certificate_pem })
    }

    /// The certificate that clients trust.
    pub fn certificate_path(&self) -> &Path {
        &self.certificate_path
    }

    /// A certificate for one host name, and for nothing else: a client that verifies fully through an own CNAME fails
    /// here as it fails on RDS.
    pub fn issue(&self, host_name: &str) -> Result<ServerCertificate> {
        let mut parameters = CertificateParams::new(vec![host_name.to_owned()]).map_err(failed)?;
        // A common name holds 64 characters at most; verification goes by the alternative name.
        parameters.distinguished_name.push(DnType::CommonName, host_name.chars().take(64).collect::<String>());
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate().map_err(failed)?;
        let certificate = parameters.signed_by(&key, &self.issuer).map_err(failed)?;
        Ok(ServerCertificate {
            certificate_pem: certificate.pem(),
            key_pem: key.serialize_pem(),
            authority_pem: self.certificate_pem.clone(),
        })
    }
}

fn failed(error: rcgen::Error) -> Error {
    Error::Certificate(error.to_string())
}

/// Connect without TLS and keep the connection going in the background.
pub async fn connect(config: &Config) -> Result<Client> {
    let (client, connection) = config.connect(NoTls).await.map_err(Error::sql("connect"))?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection ended");
        }
    });
    Ok(client)
}

/// Connect with TLS, verifying the certificate and the name in the configuration's `host` against one authority.
pub async fn connect_over_tls(config: &Config, ca_path: &Path) -> Result<Client> {
    let mut roots = rustls::RootCertStore::empty();
    let certificates = CertificateDer::pem_file_iter(ca_path).map_err(|error| Error::Certificate(error.to_string()))?;
    for certificate in certificates {
        let certificate = certificate.map_err(|error| Error::Certificate(error.to_string()))?;
        roots.add(certificate).map_err(|error| Error::Certificate(error.to_string()))?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let client_config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::Certificate(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let (client, connection) =
        config.connect(MakeRustlsConnect::new(client_config)).await.map_err(Error::sql("connect over TLS"))?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection ended");
        }
    });
    Ok(client)
}
