//! One connection of a client: carries out a write and knows exactly what its outcome means.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use tokio::time::timeout;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error};

use super::work::Write;

/// A statement that takes longer hangs: the connection is given up.
const LONGEST: Duration = Duration::from_secs(40);

/// How an attempt ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// COMMIT was answered.
    Acknowledged,
    /// It did not happen, for a reason that passes: the same write is tried again.
    Again(String),
    /// It did not happen and will not: a defect somewhere.
    Refused(String),
    /// A rule of the operator's schema does not take this row: the clients do not know every rule.
    Rejected(String),
    /// The connection died between COMMIT and its answer.
    Unknown,
}

/// A connection and the server behind it.
#[derive(Debug)]
pub(super) struct Session {
    client: Client,
    server: Ipv4Addr,
    prepared: HashMap<String, tokio_postgres::Statement>,
    /// Rows that the last write returned, as arrays of texts.
    returned: Vec<Vec<Option<String>>>,
}

impl Session {
    /// Ask the server who it is: the name may have led elsewhere by now.
    pub(super) async fn open(client: Client) -> Result<Self, Error> {
        let row = client.query_one("SELECT inet_server_addr()", &[]).await?;
        let server = match row.get(0) {
            IpAddr::V4(address) => address,
            IpAddr::V6(_) => Ipv4Addr::UNSPECIFIED,
        };
        Ok(Self { client, server, prepared: HashMap::new(), returned: Vec::new() })
    }

    /// Set what makes values print alike wherever they are read.
    pub(super) async fn print_alike(&self) -> Result<(), Error> {
        self.client.batch_execute(super::own::ALIKE).await
    }

    /// What the last write to an operator's own table returned.
    pub(super) fn take_returned(&mut self) -> Vec<Vec<Option<String>>> {
        std::mem::take(&mut self.returned)
    }

    /// The server's own address.
    pub(super) fn server(&self) -> Ipv4Addr {
        self.server
    }

    /// The connection is of no more use.
    pub(super) fn is_dead(&self) -> bool {
        self.client.is_closed()
    }

    /// Carry out a write in one transaction.
    pub(super) async fn carry_out(&mut self, write: &Write) -> Outcome {
        match timeout(LONGEST, self.statements(write)).await {
            Ok(Ok(())) => {}
            Ok(Err(outcome)) => {
                self.roll_back().await;
                return for_own(outcome, write);
            }
            // Dropping the session ends the connection, and with it the transaction.
            Err(_) => return Outcome::Again("a statement does not return".to_owned()),
        }
        match timeout(LONGEST, self.client.batch_execute("COMMIT")).await {
            Ok(Ok(())) => Outcome::Acknowledged,
            Ok(Err(error)) => for_own(after_commit(&error, self.client.is_closed()), write),
            Err(_) => Outcome::Unknown,
        }
    }

    async fn statements(&mut self, write: &Write) -> Result<(), Outcome> {
        self.returned.clear();
        self.client.batch_execute("BEGIN").await.map_err(|error| before_commit(&error))?;
        for statement in &write.statements {
            let prepared = match self.prepared.get(&*statement.sql) {
                Some(prepared) => prepared.clone(),
                None => {
                    let prepared = self.client.prepare(&statement.sql).await.map_err(|error| before_commit(&error))?;
                    self.prepared.insert(statement.sql.to_string(), prepared.clone());
                    prepared
                }
            };
            let params: Vec<_> = statement.params.iter().map(|param| param.as_sql()).collect();
            let rows = if write.own.is_some() {
                let rows = self.client.query(&prepared, &params).await.map_err(|error| before_commit(&error))?;
                self.returned.extend(rows.iter().map(|row| row.get::<_, Vec<Option<String>>>(0)));
                rows.len() as u64
            } else {
                self.client.execute(&prepared, &params).await.map_err(|error| before_commit(&error))?
            };
            if rows != statement.rows {
                return Err(Outcome::Refused(format!("{} touched {rows} rows, not {}", statement.sql, statement.rows)));
            }
        }
        Ok(())
    }

    async fn roll_back(&self) {
        if !self.client.is_closed() {
            // Fails if the connection has died meanwhile, which rolls back as well.
            let _died_meanwhile = timeout(LONGEST, self.client.batch_execute("ROLLBACK")).await;
        }
    }
}

/// A row that was made up may break a rule that the catalogs do not tell. A key that is there already may not be passed
/// over: a sequence that stands behind shows so.
fn for_own(outcome: Outcome, write: &Write) -> Outcome {
    match outcome {
        Outcome::Refused(why) if write.own.is_some() && breaks_a_rule(&why) => Outcome::Rejected(why),
        other => other,
    }
}

/// By the code at the end of what [`describe`] says: data that does not fit, a check, a foreign key, a trigger's word.
fn breaks_a_rule(why: &str) -> bool {
    let code = why.rsplit_once('(').map_or("", |(_, code)| code.trim_end_matches(')'));
    code.len() == 5 && ["22", "23", "P0"].iter().any(|class| code.starts_with(class)) && code != "23505"
}

/// Before COMMIT nothing has happened, whatever the error.
fn before_commit(error: &Error) -> Outcome {
    if passes(error) { Outcome::Again(describe(error)) } else { Outcome::Refused(describe(error)) }
}

/// An error that left the connection alive is the server's answer: not committed. Any other end leaves it open.
fn after_commit(error: &Error, connection_died: bool) -> Outcome {
    match error.code() {
        Some(code) if !connection_died && !ends_connections(code) => before_commit(error),
        _ => Outcome::Unknown,
    }
}

fn ends_connections(code: &SqlState) -> bool {
    [&SqlState::ADMIN_SHUTDOWN, &SqlState::CRASH_SHUTDOWN, &SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT]
        .contains(&code)
        || code.code().starts_with("08")
}

/// What a client of a database under maintenance must expect: lost connections, read-only moments, lock conflicts.
pub(super) fn passes(error: &Error) -> bool {
    let Some(code) = error.code() else { return true };
    let expected = [
        &SqlState::CANNOT_CONNECT_NOW,
        &SqlState::TOO_MANY_CONNECTIONS,
        &SqlState::READ_ONLY_SQL_TRANSACTION,
        &SqlState::T_R_DEADLOCK_DETECTED,
        &SqlState::T_R_SERIALIZATION_FAILURE,
        &SqlState::LOCK_NOT_AVAILABLE,
        &SqlState::QUERY_CANCELED,
    ];
    ends_connections(code) || expected.contains(&code)
}

/// The server's words, or the connection's.
pub(super) fn describe(error: &Error) -> String {
    match error.as_db_error() {
        Some(server) => format!("{} ({})", server.message(), server.code().code()),
        None => match std::error::Error::source(error) {
            Some(cause) => format!("{error}: {cause}"),
            None => error.to_string(),
        },
    }
}
