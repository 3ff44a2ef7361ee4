//! The subscription on the target.

use pgleap_contract::{ErrorCode, Names, Run, Server};
use pgleap_pg::{Login, Lsn, PgError, Session, ident, literal};
use pgleap_step_kit::{StepError, StepResult};

/// Where a subscription stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State {
    /// It may apply.
    pub enabled: bool,
    /// The process id of its apply worker, while there is one.
    pub worker: Option<i32>,
    /// What it has applied: a position of the source.
    pub applied: Option<Lsn>,
}

/// Install the functions of `subscribe.sql` as the owner.
///
/// # Errors
/// `AlreadyBack` where the run is over or its cutover decided; the server refuses otherwise, or does not answer.
pub async fn install(owner: &Session, run: &Run) -> StepResult<()> {
    let sql = with_names(include_str!("subscribe.sql"), run.names()).replace("{run}", &literal(run.id.as_str()));
    Ok(owner.run("install the function that subscribes", &sql).await?)
}

/// Install those of `subscription.sql` as the copy login, which owns the subscription.
///
/// # Errors
/// The server refuses, or does not answer.
pub async fn hand_over(copy: &Session, names: Names<'_>) -> StepResult<()> {
    let sql = with_names(include_str!("subscription.sql"), names);
    Ok(copy.run("install the functions of the subscription", &sql).await?)
}

pub(crate) fn with_names(sql: &str, names: Names<'_>) -> String {
    sql.replace("{name}", &literal(&names.copy_stream()))
        .replace("{publication}", &ident(&names.copy_stream()))
        .replace("{copy}", &literal(&names.copy_login()))
        .replace("{copy_login}", &ident(&names.copy_login()))
        .replace("{work_login}", &ident(&names.work_login()))
}

/// Look at it, as the owner; none if there is none.
///
/// # Errors
/// The server does not answer.
pub async fn look(target: &Session, name: &str) -> StepResult<Option<State>> {
    let sql = "SELECT s.subenabled, (SELECT max(w.pid) FROM pg_stat_subscription w WHERE w.subid = s.oid),
                      pg_replication_origin_progress('pg_' || s.oid, false)::text
               FROM pg_subscription s
               WHERE s.subname = $1::text::name
                 AND s.subdbid = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())";
    let rows = target.rows("read the state of the subscription", sql, &[&name]).await?;
    Ok(rows.first().map(|row| State {
        enabled: row.get(0),
        worker: row.get(1),
        applied: row.get::<_, Option<&str>>(2).and_then(|lsn| lsn.parse().ok()),
    }))
}

/// Create it at `start`, or where the slot stands, as the owner of a server of 16 or later.
///
/// # Errors
/// `NetworkBlocked` where the target does not reach the source; the server refuses otherwise.
pub async fn create(owner: &Session, run: &Run, source: &Server, login: &Login, start: Option<Lsn>) -> StepResult<()> {
    let conninfo = conninfo_of(owner, source, login).await?;
    let sql = "SELECT pgleap.subscribe($1, $2, $3::text::pg_lsn)";
    let start = start.map(|start| start.to_string());
    let names = if run.purpose.is_upgrade() { FORWARD } else { BACK };
    created(names, source, owner.rows("create the subscription", sql, &[&run.id.as_str(), &conninfo, &start]).await)
}

/// What the answer to a creation means.
pub(crate) fn created<T>(names: (&str, &str), source: &Server, answer: Result<T, PgError>) -> StepResult<()> {
    match answer {
        Ok(_) => Ok(()),
        // PostgreSQL reports it with a state of class 08, as it would the loss of our own connection.
        Err(error) if error.to_string().contains("connect to the publisher") => {
            Err(StepError::new(ErrorCode::NetworkBlocked, unreached(names, source, &error.to_string())))
        }
        Err(error) => Err(error.into()),
    }
}

/// How the server that `owner` is connected to connects to the source. Holds the password.
///
/// # Errors
/// The server does not answer.
pub async fn conninfo_of(owner: &Session, source: &Server, login: &Login) -> StepResult<String> {
    let sql = "SELECT current_setting('ssl_ca_file')";
    let row = owner.row("read where the server keeps its certificate authorities", sql, &[]).await?;
    Ok(conninfo(source, login, row.get(0)))
}

/// The names of a target that follows its source.
pub const FORWARD: (&str, &str) = ("the target", "the source");
/// The names of an old server that follows the new one.
pub(crate) const BACK: (&str, &str) = ("the old server", "the new one");

/// What is wrong, and what to do. `names` are what people call the server that subscribes, and the other one.
pub fn unreached((subscriber, publisher): (&str, &str), server: &Server, said: &str) -> String {
    format!(
        "{subscriber} cannot connect to {publisher} at {}:{}. The security group of that instance must allow the group of the other \
         one on this port. {subscriber} reports: {said}",
        server.host, server.port
    )
}

/// TLS is verified by the source's name, against the authorities that the server itself knows.
fn conninfo(source: &Server, login: &Login, authorities: &str) -> String {
    let port = source.port.to_string();
    let parts = [
        ("host", source.host.as_str()),
        ("port", &port),
        ("dbname", &source.database),
        ("user", &login.username),
        ("password", &login.password),
        ("sslmode", "verify-full"),
        ("sslrootcert", authorities),
        ("connect_timeout", "10"),
        ("keepalives_idle", "30"),
    ];
    let quote = |value: &str| value.replace('\\', "\\\\").replace('\'', "\\'");
    parts.map(|(name, value)| format!("{name}='{}'", quote(value))).join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_string_keeps_every_character() {
        let server =
            Server { host: "db.example".to_owned(), port: 5432, database: "o'clock".to_owned(), storage_gib: None };
        let login = Login { username: "u".to_owned(), password: "a b\\c'd".to_owned() };

        let text = conninfo(&server, &login, "/ca.pem");

        assert!(text.contains("dbname='o\\'clock'"), "{text}");
        assert!(text.contains("password='a b\\\\c\\'d'"), "{text}");
        assert!(text.contains("sslmode='verify-full' sslrootcert='/ca.pem'"), "{text}");
    }
}
