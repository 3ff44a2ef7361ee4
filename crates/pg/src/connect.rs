//! One connection.

use std::ops::Deref;
use std::time::Duration;

use pgleap_contract::Server;
use tokio::task::JoinHandle;
use tokio_postgres::config::SslMode;
use tokio_postgres::{Client, Config, Row};

use crate::{Environment, Login, PgError, resolve::resolve, tls::connector};

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// What every session overrides.
const OPTIONS: &str = "-c default_transaction_read_only=off -c statement_timeout=0 -c lock_timeout=0 -c synchronous_commit=on \
             -c idle_in_transaction_session_timeout=60000 -c search_path=pg_catalog -c standard_conforming_strings=on \
             -c extra_float_digits=3 -c bytea_output=hex -c datestyle=ISO -c intervalstyle=postgres -c timezone=UTC";

/// A connection that ends when it is dropped. Dereferences to [`Client`].
#[derive(Debug)]
pub struct Session {
    client: Client,
    driver: JoinHandle<()>,
}

impl Deref for Session {
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

impl Session {
    /// Run statements without parameters, several at once if parted by semicolons.
    pub async fn run(&self, doing: &str, sql: &str) -> Result<(), PgError> {
        self.client.batch_execute(sql).await.map_err(|error| PgError::new(doing, &error))
    }

    /// Rows of one query.
    pub async fn rows(
        &self,
        doing: &str,
        sql: &str,
        parameters: &[&(dyn tokio_postgres::types::ToSql + Sync)],
    ) -> Result<Vec<Row>, PgError> {
        self.client.query(sql, parameters).await.map_err(|error| PgError::new(doing, &error))
    }

    /// The one row of a query that always has one.
    pub async fn row(
        &self,
        doing: &str,
        sql: &str,
        parameters: &[&(dyn tokio_postgres::types::ToSql + Sync)],
    ) -> Result<Row, PgError> {
        self.client.query_one(sql, parameters).await.map_err(|error| PgError::new(doing, &error))
    }

    /// The server's major version, e.g. 15.
    pub async fn major(&self) -> Result<i32, PgError> {
        let row =
            self.row("read the version", "SELECT current_setting('server_version_num')::int / 10000", &[]).await?;
        Ok(row.get(0))
    }

    /// Send a statement and leave without waiting for its end: the server goes on without its client. The session's
    /// own `client_connection_check_interval` is switched off first, else the server would notice and cancel.
    pub async fn start_and_leave(mut self, doing: &str, sql: &str) -> Result<(), PgError> {
        if self.major().await? >= 14 {
            self.run(doing, "SET client_connection_check_interval = 0").await?;
        }
        let sent = tokio::time::timeout(Duration::from_millis(300), self.client.batch_execute(sql)).await;
        match sent {
            Ok(answer) => answer.map_err(|error| PgError::new(doing, &error)),
            Err(_still_running) => {
                // Aborting the driver closes the socket without the protocol's Terminate or Cancel.
                self.driver.abort();
                let _ended = (&mut self.driver).await;
                Ok(())
            }
        }
    }
}

/// Connect over TLS, verified by the server's host name. `about` shows in `pg_stat_activity.application_name`.
///
/// The session overrides what an operator may have set for the role or the database and what would hurt a step:
/// read-only by default, statement and idle time-outs, commits that a crash forgets, a search path with objects of others.
pub async fn connect(
    environment: &Environment,
    server: &Server,
    login: &Login,
    about: &str,
) -> Result<Session, PgError> {
    connect_with(environment, server, login, about, "").await
}

/// The same for a session that works while clients wait: its statements end on the server after `longest`, whatever becomes
/// of the client, and it waits for a lock for a second at most.
pub async fn connect_bounded(
    environment: &Environment,
    server: &Server,
    login: &Login,
    about: &str,
    longest: Duration,
) -> Result<Session, PgError> {
    let milliseconds = longest.as_millis().max(1);
    let bounds = format!(" -c statement_timeout={milliseconds} -c lock_timeout=1000");
    connect_with(environment, server, login, about, &bounds).await
}

async fn connect_with(
    environment: &Environment,
    server: &Server,
    login: &Login,
    about: &str,
    bounds: &str,
) -> Result<Session, PgError> {
    let doing = format!("connect to {} as {}", server.host, login.username);
    let addresses = resolve(environment, &server.host)
        .await
        .map_err(|error| PgError::unreachable(doing.clone(), error.to_string()))?;
    let address =
        addresses.first().ok_or_else(|| PgError::unreachable(doing.clone(), "the name does not resolve to any IP"))?;
    let tls = connector(environment).map_err(|reason| PgError::unreachable(doing.clone(), reason))?;

    let mut config = Config::new();
    config
        .host(&server.host)
        .hostaddr(*address)
        .port(server.port)
        .dbname(&server.database)
        .user(&login.username)
        .password(&login.password)
        .application_name(about)
        .ssl_mode(SslMode::Require)
        .connect_timeout(CONNECT_TIMEOUT)
        .keepalives_idle(Duration::from_secs(30))
        .options(format!("{OPTIONS}{bounds}"));
    let connecting = tokio::time::timeout(CONNECT_TIMEOUT * 2, config.connect(tls));
    let (client, connection) = connecting
        .await
        .map_err(|_elapsed| PgError::unreachable(doing.clone(), "no answer within 10 s"))?
        .map_err(|error| PgError::new(doing.clone(), &error))?;
    let driver = tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "the connection ended");
        }
    });
    Ok(Session { client, driver })
}
