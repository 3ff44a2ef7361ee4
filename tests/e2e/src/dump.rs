//! An operator's own database as the source: a plain SQL dump, restored by psql as the login that owns the database.

use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use tokio::process::Command;
use tokio_postgres::Client;

use crate::clients::Kind;
use crate::connect::Login;
use crate::names::Answer;
use crate::stage::{DATABASE, Source};

const PROBE: &str = include_str!("../schema/probe.sql");
/// The clients' own role beside the operator's; a password for this rehearsal only.
const PROBE_ROLE: &str = "rehearsal_probe";
const PROBE_PASSWORD: &str = "probe-of-the-rehearsal";

/// What a dump's restore left undone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// Statements that failed, for example because they give objects to roles that are not here.
    pub failed_statements: usize,
    /// The first few messages.
    pub examples: Vec<String>,
}

/// Restore the dump. psql goes on after errors, as a person would want it to with `ALTER .. OWNER TO somebody`.
pub async fn restore(dump: &Path, source: &Source, at: &Answer, authorities: &Path, login: &Login) -> Result<Restored> {
    let psql = psql()?;
    let library_path = psql.ancestors().nth(2).unwrap_or(Path::new("/")).join("lib");
    let child = Command::new(&psql)
        .args(["--no-psqlrc", "--quiet", "--file"])
        .arg(dump)
        .env("LD_LIBRARY_PATH", library_path)
        .env("PGHOST", &source.host)
        .env("PGHOSTADDR", at.address.to_string())
        .env("PGPORT", source.port.to_string())
        .env("PGUSER", &login.user)
        .env("PGPASSWORD", &login.password)
        .env("PGDATABASE", DATABASE)
        .env("PGSSLMODE", "verify-full")
        .env("PGSSLROOTCERT", authorities)
        .env("PGCLIENTENCODING", "UTF8")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("start {}", psql.display()))?;
    let output = child.wait_with_output().await.context("wait for psql")?;
    let messages = String::from_utf8_lossy(&output.stderr);
    // 0: all fine or only statements failed; 2: the connection was lost; 3 does not happen without ON_ERROR_STOP.
    if !output.status.success() {
        bail!("restore {}: psql ended with {}: {}", dump.display(), output.status, last_lines(&messages));
    }
    Ok(failures(&messages))
}

fn failures(messages: &str) -> Restored {
    let errors: Vec<_> = messages.lines().filter(|line| line.contains("ERROR:")).collect();
    Restored {
        failed_statements: errors.len(),
        examples: errors
            .iter()
            .take(5)
            .map(|line| line.rsplit("ERROR:").next().unwrap_or(line).trim().to_owned())
            .collect(),
    }
}

fn last_lines(messages: &str) -> String {
    let lines: Vec<_> = messages.lines().rev().take(5).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("; ")
}

/// psql of the newest major that has one: its clients talk to all older servers.
fn psql() -> Result<std::path::PathBuf> {
    let home = std::env::var_os("PGLEAP_PG_HOME")
        .map_or_else(|| contract_tests::machine::repository().join(".local/pg"), std::path::PathBuf::from);
    (14..=18)
        .rev()
        .map(|major| home.join(format!("{major}/bin/psql")))
        .find(|path| path.is_file())
        .with_context(|| format!("find psql below {}", home.display()))
}

/// The clients' own table and role beside the operator's schema. The client is the database owner's.
pub async fn add_probe(client: &Client) -> Result<()> {
    client.batch_execute(PROBE).await.context("make the probe table")?;
    let grants = format!(
        "CREATE ROLE {PROBE_ROLE} LOGIN PASSWORD '{PROBE_PASSWORD}';
         GRANT CONNECT ON DATABASE {DATABASE} TO {PROBE_ROLE};
         GRANT USAGE ON SCHEMA rehearsal TO {PROBE_ROLE};
         GRANT SELECT, INSERT, UPDATE ON rehearsal.probe TO {PROBE_ROLE}"
    );
    client.batch_execute(&grants).await.context("make the probe's role")
}

/// Who writes: a role of its own to the probe table, the database's owner to the operator's tables, if they take writes.
pub fn crew(owner: &Login, to_own_tables: bool) -> Vec<(Kind, Login, u32)> {
    let probe =
        Login { user: PROBE_ROLE.to_owned(), password: PROBE_PASSWORD.to_owned(), database: DATABASE.to_owned() };
    let of_owner = if to_own_tables { (Kind::Own, owner.clone(), 8) } else { (Kind::Probe, owner.clone(), 2) };
    vec![(Kind::Probe, probe, 6), of_owner]
}

/// The role whose right to connect shows the fence.
pub const WATCHED_ROLE: &str = PROBE_ROLE;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_statements_are_counted_and_shown() {
        let messages = "psql:my.sql:12: ERROR:  role \"bob\" does not exist\npsql:my.sql:13: NOTICE:  x\n\
                        psql:my.sql:20: ERROR:  must be owner of extension plpgsql\nDETAIL: y\n";

        let restored = failures(messages);

        assert_eq!(restored.failed_statements, 2);
        assert_eq!(restored.examples[0], "role \"bob\" does not exist");
    }
}
