//! The run's roles. The server is notified a SCRAM verifier, never the password: statements may be logged.

use pgleap_pg::{Login, PgErrorKind, Session, ident, literal};
use pgleap_step_kit::prelude::*;

use crate::secrets::Logins;

/// Settings that an operator may have put on the database and that would end or hinder a session of days: a role's own
/// go before a database's. With the major from which each exists.
const SETTINGS: &[(&str, i32)] = &[
    ("statement_timeout", 13),
    ("lock_timeout", 13),
    ("idle_in_transaction_session_timeout", 13),
    ("idle_session_timeout", 14),
    ("transaction_timeout", 17),
];

/// What the copy's login needs: a role's own settings go before those of the database and of everybody.
///
/// DMS may be silent for longer than the default of 30 s while it writes a large transaction to disk, and the server would
/// end its connection. A logical walsender takes its role's settings; the watch reads its slot by SQL functions and has none.
///
/// The others are how values are written as text. timestamptz travels as DATETIME, which has no zone: in a zone with summer time
/// an hour of each year would come out an hour late.
/// Sources: AWS DMS user guide, "Using an AWS-managed PostgreSQL database as a DMS source", "Data types for DMS"; PostgreSQL,
/// postinit.c (`InitPostgres`: a walsender with a database processes the settings of role and database).
const COPY_SETTINGS: &[(&str, &str)] = &[
    ("wal_sender_timeout", "0"),
    ("timezone", "UTC"),
    ("datestyle", "ISO, MDY"),
    ("intervalstyle", "postgres"),
    ("bytea_output", "hex"),
    ("extra_float_digits", "1"),
    ("lc_monetary", "C"),
];

/// Make the roles that do not exist, let them in, and give them what only a role can have.
pub(crate) async fn ensure(owner: &Session, run: &Run, source: &Server, logins: &Logins) -> StepResult<()> {
    let major = owner.major().await?;
    if major >= 16 {
        // Else the owner may become a member of the run's logins, and keep their CONNECT behind the fence.
        owner.run("stop automatic grants to the owner", "SET createrole_self_grant = ''").await?;
    }
    for login in logins.all() {
        let role = ident(&login.username);
        let known = "SELECT count(*) FROM pg_roles WHERE rolname = $1";
        if owner.row("look for the run's roles", known, &[&login.username]).await?.get::<_, i64>(0) == 0 {
            let create = format!("CREATE ROLE {role} LOGIN PASSWORD {}", verifier(login));
            owner.run(&format!("create role {}", login.username), &create).await?;
        }
        owner.run(&format!("set up role {}", login.username), &settings(&role, major)).await?;
    }
    for login in logins.streaming() {
        let role = ident(&login.username);
        let set =
            COPY_SETTINGS.iter().map(|(name, value)| format!("ALTER ROLE {role} SET {name} = {};", literal(value)));
        owner.run(&format!("set up role {} for replication", login.username), &set.collect::<String>()).await?;
    }
    if major < 16 {
        owner.run("keep the right to drop the run's roles", &keys(&run.names().keys_role(), logins)).await?;
    }
    let (work, database) = (ident(&logins.work.username), ident(&source.database));
    let streaming = logins.streaming().map(|login| ident(&login.username)).collect::<Vec<_>>().join(", ");
    // Under the fence only these get in; the working login lets the owner in again on the fail-back path.
    owner
        .run(
            "grant CONNECT to the run's roles",
            &format!(
                "GRANT CONNECT ON DATABASE {database} TO {work} WITH GRANT OPTION; GRANT CONNECT ON DATABASE {database} TO {streaming};"
            ),
        )
        .await?;
    // The working login reads the slot by which the run watches the source's changes.
    owner.run("let the run's logins replicate", &format!("GRANT rds_replication TO {streaming}, {work}")).await?;
    for role in ["pg_monitor", "pg_signal_backend"] {
        owner.run(&format!("grant {role}"), &grant_if_allowed(role, &work)).await?;
    }
    Ok(())
}

/// Up to 15 CREATEROLE may drop any role, from 16 on only one that it has ADMIN OPTION on, and a copy that is upgraded
/// crosses that line. So the owner gets ADMIN OPTION through a role that does not inherit: a membership of the owner
/// in the run's logins themselves would let the owner's login through the fence by their CONNECT.
fn keys(role: &str, logins: &Logins) -> String {
    let keys = ident(role);
    let all = logins.all().map(|login| ident(&login.username)).collect::<Vec<_>>().join(", ");
    format!(
        "DO $do$ BEGIN CREATE ROLE {keys} NOLOGIN NOINHERIT; EXCEPTION WHEN duplicate_object THEN NULL; END $do$;
         GRANT {all} TO {keys} WITH ADMIN OPTION; GRANT {keys} TO CURRENT_USER WITH ADMIN OPTION"
    )
}

/// Log in as both; where that is refused, set the password of the secret and try once more.
pub(crate) async fn prove(ctx: &Ctx, owner: &Session, run: &Run, source: &Server, logins: &Logins) -> StepResult<()> {
    let application = run.names().application("prove");
    for login in logins.all() {
        match ctx.connect_as(source, login, &application).await {
            Ok(_session) => continue,
            Err(error) if error.kind == PgErrorKind::Denied => (),
            Err(error) => return Err(error.into()),
        }
        let alter = format!("ALTER ROLE {} LOGIN PASSWORD {}", ident(&login.username), verifier(login));
        owner.run(&format!("set password of {}", login.username), &alter).await?;
        ctx.connect_as(source, login, &application).await?;
    }
    Ok(())
}

/// A setting of the role in this database alone would go before the role's own. What this client itself asks for says nothing.
pub(crate) async fn prove_copy_settings(ctx: &Ctx, run: &Run, source: &Server, logins: &Logins) -> StepResult<()> {
    let session = ctx.connect_as(source, &logins.copy, &run.names().application("prove")).await?;
    let (names, wanted): (Vec<_>, Vec<_>) = COPY_SETTINGS.iter().copied().unzip();
    let sql = "SELECT format('%s is %s', w.name, current_setting(w.name)) FROM unnest($1::text[], $2::text[]) AS w (name, value)
               WHERE current_setting(w.name) <> w.value
                 AND NOT EXISTS (SELECT FROM pg_settings s WHERE lower(s.name) = w.name AND s.source = 'client')";
    let others = session.rows("read the copy login's settings", sql, &[&names, &wanted]).await?;
    if others.is_empty() {
        return Ok(());
    }
    let others: Vec<String> = others.iter().map(|row| row.get(0)).collect();
    let reason = format!(
        "in sessions of {} {}, although the run set another value for the role",
        logins.copy.username,
        others.join(", ")
    );
    Err(StepError::new(ErrorCode::InstanceFailed, format!("prepare source: {reason}")))
}

/// A grant that makes work easier and that not every owner may give.
pub(crate) fn grant_if_allowed(role: &str, to: &str) -> String {
    format!(
        "DO $do$ BEGIN GRANT {role} TO {to}; EXCEPTION WHEN insufficient_privilege OR undefined_object THEN NULL; END $do$"
    )
}

fn verifier(login: &Login) -> String {
    literal(&login.verifier())
}

fn settings(role: &str, major: i32) -> String {
    let off = SETTINGS
        .iter()
        .filter(|(_, since)| major >= *since)
        .map(|(name, _)| format!("ALTER ROLE {role} SET {name} = 0;"));
    off.chain([format!("ALTER ROLE {role} SET default_transaction_read_only = off;")]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_used_only_where_it_exists() {
        assert!(!settings("\"w\"", 13).contains("idle_session_timeout"));
        assert!(settings("\"w\"", 16).contains("idle_session_timeout"));
        assert!(!settings("\"w\"", 16).contains("transaction_timeout"));
        assert!(settings("\"w\"", 18).contains("ALTER ROLE \"w\" SET transaction_timeout = 0;"));
    }
}
