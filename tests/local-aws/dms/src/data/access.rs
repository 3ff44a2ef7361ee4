//! An endpoint as something to connect to: its secret is read, its host resolved and its TLS set up at the moment
//! of each connection, as DMS does, so that a changed password or address counts from the next connection on.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use local_aws_core::{Ground, Hosts, ReadSecret};
use serde::Deserialize;
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinHandle;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, Config, NoTls};

use super::failure::Failure;
use super::tls::{self, SslMode};

/// Text forms of values must not depend on a server's settings: they travel from one server to another.
const OPTIONS: &str =
    "-c datestyle=ISO -c intervalstyle=postgres -c extra_float_digits=3 -c bytea_output=hex -c timezone=UTC";

/// DMS's own time-out for a new connection.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// What the data plane may ask of the other services.
#[derive(Clone)]
pub(crate) struct Seams {
    pub(crate) hosts: Hosts,
    pub(crate) secrets: Arc<dyn ReadSecret>,
    pub(crate) ground: Ground,
}

/// Where an endpoint's login comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Credentials {
    /// Members of the endpoint itself.
    Given {
        /// Host name or address.
        host: String,
        /// TCP port.
        port: u16,
        /// Login.
        user: String,
        /// Its password.
        password: String,
    },
    /// A secret's ARN or name.
    Secret(String),
}

/// An endpoint, ready to connect to.
#[derive(Clone)]
pub(crate) struct Access {
    pub(crate) seams: Seams,
    pub(crate) credentials: Credentials,
    pub(crate) database: String,
    pub(crate) ssl_mode: SslMode,
    /// PEM text.
    pub(crate) authority: Option<String>,
    /// The replication instance's own address: connections come from it.
    pub(crate) from: Ipv4Addr,
    /// SQL that runs first on every connection to a target.
    pub(crate) after_connect: Option<String>,
}

/// One connection's worth of facts.
pub(crate) struct Login {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) user: String,
    pub(crate) password: String,
    pub(crate) database: String,
}

/// The members of a secret that DMS reads; others may stand beside them.
#[derive(Deserialize)]
struct SecretBody {
    host: String,
    port: PortForm,
    username: String,
    password: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum PortForm {
    Number(u16),
    Text(String),
}

/// A client whose connection ends with it.
pub(crate) struct Session {
    client: Client,
    driver: JoinHandle<()>,
}

impl std::ops::Deref for Session {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Access {
    /// Read the secret and name everything that a connection needs.
    pub(crate) fn login(&self) -> Result<Login, Failure> {
        let (host, port, user, password) = match &self.credentials {
            Credentials::Given { host, port, user, password } => (host.clone(), *port, user.clone(), password.clone()),
            Credentials::Secret(id) => self.read_secret(id)?,
        };
        Ok(Login { host, port, user, password, database: self.database.clone() })
    }

    fn read_secret(&self, id: &str) -> Result<(String, u16, String, String), Failure> {
        let text = self.seams.secrets.secret_string(id).map_err(|error| {
            Failure::Secret(format!("Unable to find AWS Secrets Manager secret Arn '{id}' {}", error.message))
        })?;
        let body: SecretBody = serde_json::from_str(&text).map_err(|error| {
            Failure::Secret(format!("The secret '{id}' must hold username, password, host and port: {error}"))
        })?;
        let port = match body.port {
            PortForm::Number(port) => port,
            PortForm::Text(text) => {
                text.parse().map_err(|_| Failure::Secret(format!("The port of secret '{id}' is no number")))?
            }
        };
        Ok((body.host, port, body.username, body.password))
    }

    /// A socket to the server, from the replication instance's address.
    pub(crate) async fn dial(&self, login: &Login) -> Result<TcpStream, Failure> {
        let address = self.resolve(&login.host)?;
        if !self.seams.ground.lets_in(self.from, login.port) {
            // What is dropped on its way is never answered; the wait for it is left out.
            return Err(Failure::Connection("timeout expired".to_owned()));
        }
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::from((self.from, 0)))?;
        let unreachable = |reason: &str| {
            Failure::Connection(format!(
                "connection to server at \"{}\" ({address}), port {} failed: {reason}",
                login.host, login.port
            ))
        };
        let stream = tokio::time::timeout(CONNECT_LIMIT, socket.connect(SocketAddr::from((address, login.port))))
            .await
            .map_err(|_| Failure::Connection("timeout expired".to_owned()))?
            .map_err(|error| match error.kind() {
                std::io::ErrorKind::ConnectionRefused => unreachable(
                    "Connection refused\n\tIs the server running on that host and accepting TCP/IP connections?",
                ),
                _ => unreachable(&error.to_string()),
            })?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    fn resolve(&self, host: &str) -> Result<IpAddr, Failure> {
        if let Some(address) = self.seams.hosts.get(host) {
            return Ok(address.into());
        }
        host.parse().map_err(|_| {
            Failure::Connection(format!(
                "could not translate host name \"{host}\" to address: Name or service not known"
            ))
        })
    }

    /// A client on the server.
    pub(crate) async fn connect(&self, application: &str) -> Result<Session, Failure> {
        tokio::time::timeout(CONNECT_LIMIT, self.connect_unbounded(application))
            .await
            .map_err(|_| Failure::Connection("timeout expired".to_owned()))?
    }

    async fn connect_unbounded(&self, application: &str) -> Result<Session, Failure> {
        let login = self.login()?;
        let stream = self.dial(&login).await?;
        let mut config = Config::new();
        config
            .user(&login.user)
            .password(&login.password)
            .dbname(&login.database)
            .application_name(application)
            .options(OPTIONS);
        let session = if self.ssl_mode == SslMode::None {
            config.ssl_mode(tokio_postgres::config::SslMode::Disable);
            let (client, connection) = config.connect_raw(stream, NoTls).await?;
            Session { client, driver: tokio::spawn(drive(connection)) }
        } else {
            config.ssl_mode(tokio_postgres::config::SslMode::Require);
            let mut tls = tls::client(self.ssl_mode, self.authority.as_deref()).map_err(Failure::Connection)?;
            let tls = MakeTlsConnect::<TcpStream>::make_tls_connect(&mut tls, &login.host)
                .map_err(|error| Failure::Connection(error.to_string()))?;
            let (client, connection) = config.connect_raw(stream, tls).await?;
            Session { client, driver: tokio::spawn(drive(connection)) }
        };
        if let Some(script) = &self.after_connect {
            session.batch_execute(script).await?;
        }
        Ok(session)
    }

    /// The parameters of a connection on the wire level.
    pub(crate) fn startup_parameters(login: &Login, replication: bool) -> Vec<(&str, &str)> {
        let mut parameters = vec![
            ("user", login.user.as_str()),
            ("database", login.database.as_str()),
            ("client_encoding", "UTF8"),
            ("application_name", "AWS DMS"),
            ("options", OPTIONS),
        ];
        if replication {
            parameters.push(("replication", "database"));
        }
        parameters
    }
}

/// Runs a connection until it ends. How it ended shows in the client's next statement.
async fn drive<S, T>(connection: tokio_postgres::Connection<S, T>)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    if let Err(error) = connection.await {
        tracing::debug!(%error, "a connection of the data plane ended");
    }
}
