//! The subscription on the target.

use pgleap_contract::{ErrorCode, Server};
use pgleap_pg::{Login, Lsn, PgErrorKind, Session, ident, literal};
use pgleap_step_kit::{StepError, StepResult};

/// Where a subscription stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State {
    /// It may apply.
    pub enabled: bool,
    /// A worker applies.
    pub applies: bool,
    /// What it has applied: a position of the source.
    pub applied: Option<Lsn>,
}

/// Install the functions of `subscription.sql`, as the owner.
///
/// # Errors
/// The server refuses, or does not answer.
pub async fn install(owner: &Session, name: &str, work: &str) -> StepResult<()> {
    let sql = include_str!("subscription.sql").replace("{name}", &literal(name)).replace("{work}", &ident(work));
    Ok(owner.run("install the functions of the subscription", &sql).await?)
}

/// Look at it, as the owner; none if there is none.
///
/// # Errors
/// The server does not answer.
pub async fn look(target: &Session, name: &str) -> StepResult<Option<State>> {
    let sql =
        "SELECT s.subenabled, EXISTS (SELECT FROM pg_stat_subscription w WHERE w.subid = s.oid AND w.pid IS NOT NULL),
                      pg_replication_origin_progress('pg_' || s.oid, false)::text
               FROM pg_subscription s
               WHERE s.subname = $1::text::name
                 AND s.subdbid = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())";
    let rows = target.rows("look at the subscription", sql, &[&name]).await?;
    Ok(rows.first().map(|row| State {
        enabled: row.get(0),
        applies: row.get(1),
        applied: row.get::<_, Option<&str>>(2).and_then(|lsn| lsn.parse().ok()),
    }))
}

/// Create it at `start`, as the owner.
///
/// # Errors
/// `NetworkBlocked` where the target does not reach the source; the server refuses otherwise.
pub async fn create(owner: &Session, run: &str, source: &Server, login: &Login, start: Lsn) -> StepResult<()> {
    let row = owner.row("read where the server keeps its authorities", "SELECT current_setting('ssl_ca_file')", &[]);
    let conninfo = conninfo(source, login, row.await?.get(0));
    let options = options(owner.major().await?);
    let sql = "SELECT pgleap.subscribe($1, $2, $3::text::pg_lsn, $4)";
    match owner.rows("create the subscription", sql, &[&run, &conninfo, &start.to_string(), &options]).await {
        Ok(_) => Ok(()),
        Err(error)
            if error.kind != PgErrorKind::Unreachable && error.to_string().contains("connect to the publisher") =>
        {
            Err(StepError::new(ErrorCode::NetworkBlocked, unreached(source, &error.to_string())))
        }
        Err(error) => Err(error.into()),
    }
}

fn unreached(source: &Server, said: &str) -> String {
    format!(
        "the target does not reach the source at {}:{}. The source's security group must let the target's in, on that port; \
         the target says: {said}",
        source.host, source.port
    )
}

/// From 16 on the worker would switch to each table's owner, which the subscription's owner may not do on RDS; from 18 on large
/// transactions would be applied by several workers at once.
/// Source: PostgreSQL, CREATE SUBSCRIPTION.
fn options(major: i32) -> String {
    let options = [(14, ", streaming = on"), (16, ", run_as_owner = true")];
    options.iter().filter(|(since, _)| major >= *since).map(|(_, option)| *option).collect()
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

    #[test]
    fn a_major_is_told_only_what_it_knows() {
        assert_eq!(options(13), "");
        assert_eq!(options(15), ", streaming = on");
        assert_eq!(options(18), ", streaming = on, run_as_owner = true");
    }
}
