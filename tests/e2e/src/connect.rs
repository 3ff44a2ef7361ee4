//! Connections over TLS that verify the server's name, as the applications of a careful operator do.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres::{Client, Config};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::names::Answer;

/// Longest time for a connection to come about.
const CONNECT: Duration = Duration::from_secs(3);

/// Makes connections that trust one authority.
#[derive(Clone)]
pub struct Connector {
    tls: MakeRustlsConnect,
    port: u16,
}

/// Who logs in, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// Role.
    pub user: String,
    /// Its password.
    pub password: String,
    /// Database.
    pub database: String,
}

impl Connector {
    /// Trust the authorities of a PEM file, and nobody else; every server listens on one port.
    pub fn new(authorities: &Path, port: u16) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        let certificates = CertificateDer::pem_file_iter(authorities);
        for certificate in certificates.with_context(|| format!("read {}", authorities.display()))? {
            roots.add(certificate.context("parse an authority")?).context("trust an authority")?;
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .context("choose TLS versions")?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { tls: MakeRustlsConnect::new(config), port })
    }

    /// Connect to where a name led. The connection goes on in the background until the client is dropped or it dies.
    pub async fn connect(
        &self,
        to: &Answer,
        login: &Login,
        application: &str,
    ) -> Result<Client, tokio_postgres::Error> {
        let mut config = Config::new();
        config
            .host(&to.endpoint)
            .hostaddr(to.address.into())
            .port(self.port)
            .user(&login.user)
            .password(&login.password)
            .dbname(&login.database)
            .application_name(application)
            .ssl_mode(tokio_postgres::config::SslMode::Require)
            .connect_timeout(CONNECT);
        let (client, connection) = config.connect(self.tls.clone()).await?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a client's connection ended");
            }
        });
        Ok(client)
    }
}
