//! An operator's own database as the source: a plain SQL dump, restored by psql as the login that owns the database.

mod check;
mod script;

pub use check::check;
use script::Edge;

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind};
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use serde::Serialize;
use tokio::io::AsyncWriteExt;
use tokio::process::{ChildStdin, Command};
use tokio_postgres::Client;

use crate::clients::Kind;
use crate::connect::Login;
use crate::names::Answer;
use crate::stage::{DATABASE, Source};

const EVENT_TRIGGERS: &str = include_str!("../schema/event-triggers.sql");
const PROBE: &str = include_str!("../schema/probe.sql");
/// The clients' own role beside the operator's; a password for this rehearsal only.
const PROBE_ROLE: &str = "rehearsal_probe";
const PROBE_PASSWORD: &str = "probe-of-the-rehearsal";
/// Messages that are kept of what failed.
const EXAMPLES: usize = 5;

/// What a dump's restore left undone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Restored {
    /// Statements that failed, for example because they give objects to roles that are not here.
    pub failed_statements: usize,
    /// The first few, each with its line and the server's message.
    pub examples: Vec<String>,
}

impl Restored {
    /// For the screen; nothing if nothing failed.
    pub fn lines(&self) -> Vec<String> {
        if self.failed_statements == 0 {
            return Vec::new();
        }
        let head = match self.failed_statements {
            1 => "1 statement of the dump failed:".to_owned(),
            many if many > self.examples.len() => {
                format!("{many} statements of the dump failed, the first {}:", self.examples.len())
            }
            many => format!("{many} statements of the dump failed:"),
        };
        std::iter::once(head).chain(self.examples.iter().map(|example| format!("  {example}"))).collect()
    }
}

/// Where a dump is restored, and as whom.
pub struct Destination<'a> {
    /// The instance.
    pub source: &'a Source,
    /// Its address.
    pub at: &'a Answer,
    /// Who signed its certificate.
    pub authorities: &'a Path,
    /// The database's owner.
    pub login: &'a Login,
    /// RDS's own superuser, which creates event triggers for a login that may on RDS and not on plain PostgreSQL.
    pub platform: Option<&'a Client>,
}

/// Restore the dump. psql goes on after errors, as a person would want it to with `ALTER .. OWNER TO somebody`, also in a
/// transaction, and whatever the dump itself says of ON_ERROR_STOP.
pub async fn restore(dump: &Path, to: Destination<'_>) -> Result<Restored> {
    if let Some(platform) = to.platform {
        platform.batch_execute(EVENT_TRIGGERS).await.context("prepare for event triggers")?;
    }
    let restored = restore_by_psql(dump, &to).await;
    if let Some(platform) = to.platform {
        // The dump's own event triggers keep still here.
        let forget = "SET session_replication_role = replica; DROP SCHEMA rehearsal_rds CASCADE";
        platform.batch_execute(forget).await.context("clean up after event triggers")?;
    }
    restored
}

async fn restore_by_psql(dump: &Path, to: &Destination<'_>) -> Result<Restored> {
    let Destination { source, at, authorities, login, .. } = to;
    let psql = psql()?;
    let library_path = psql.ancestors().nth(2).unwrap_or(Path::new("/")).join("lib");
    let mut child = Command::new(&psql)
        .args(["--no-psqlrc", "--quiet", "--set", "ON_ERROR_ROLLBACK=on", "--file", "-"])
        .current_dir(check::folder_of(dump))
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
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("start {}", psql.display()))?;
    let stdin = child.stdin.take().context("psql has no standard input")?;
    let (fed, output) = tokio::join!(feed(dump, stdin, to.platform.is_some()), child.wait_with_output());
    let output = output.context("wait for psql")?;
    fed?;
    let messages = String::from_utf8_lossy(&output.stderr);
    // 0: all fine or only statements failed; 2: the connection was lost; 3 does not happen without ON_ERROR_STOP.
    if !output.status.success() {
        bail!("restore {}: psql ended with {}: {}", dump.display(), output.status, last_lines(&messages));
    }
    Ok(failures(&messages))
}

/// The dump as it is, but for what would end psql at the first failed statement, and for event triggers, if a function
/// creates them. Lines keep their numbers.
async fn feed(dump: &Path, mut psql: ChildStdin, event_triggers: bool) -> Result<()> {
    let opened = File::open(dump).with_context(|| format!("open {}", dump.display()))?;
    let mut reader = BufReader::with_capacity(1 << 16, opened);
    let mut scanner = script::Scanner::default();
    let (mut line, mut chunk) = (Vec::new(), Vec::new());
    loop {
        line.clear();
        let read = reader.read_until(b'\n', &mut line).with_context(|| format!("read {}", dump.display()))?;
        let commands = scanner.line(&line);
        let edges = scanner.edges();
        edit(&mut line, &commands, if event_triggers { &edges } else { &[] });
        chunk.append(&mut line);
        if read > 0 && chunk.len() < 1 << 16 {
            continue;
        }
        match psql.write_all(&chunk).await {
            Ok(()) => chunk.clear(),
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(()), // it has ended: its status says why
            Err(error) => return Err(error).context("write to psql"),
        }
        if read == 0 {
            return psql.shutdown().await.context("end psql's input");
        }
    }
}

/// Take out what would end psql at the first failed statement, and wrap what is about an event trigger.
fn edit(line: &mut Vec<u8>, commands: &[script::Command], edges: &[Edge]) {
    let stops = commands.iter().filter(|command| check::stops_at_errors(command));
    let mut edits: Vec<(usize, usize, &str)> = stops.map(|command| (command.span.0, command.span.1, "")).collect();
    edits.extend(edges.iter().map(|edge| match *edge {
        Edge::Begin(at) => (at, at, "SELECT rehearsal_rds.event_trigger($rehearsal$"),
        Edge::End(at) => (at, at, "$rehearsal$)"),
    }));
    edits.sort_unstable();
    for (from, to, text) in edits.into_iter().rev() {
        line.splice(from..to, text.bytes());
    }
}

fn failures(messages: &str) -> Restored {
    let errors: Vec<_> = messages.lines().filter_map(failure).collect();
    Restored { failed_statements: errors.len(), examples: errors.into_iter().take(EXAMPLES).collect() }
}

/// `psql:<stdin>:12: ERROR:  ..` of the server, `psql:part.sql:3: error: ..` of psql itself.
fn failure(message: &str) -> Option<String> {
    const SEVERITIES: &[&str] =
        &["ERROR", "FATAL", "PANIC", "error", "WARNING", "NOTICE", "INFO", "LOG", "DEBUG", "warning"];
    let said = message.strip_prefix("psql:")?;
    let found = |severity: &&str| said.find(&format!(": {severity}: ")).map(|at| (at, severity.len()));
    let (at, length) = SEVERITIES.iter().filter_map(found).min()?;
    let (place, severity) = (&said[..at], &said[at + 2..at + 2 + length]);
    if !["ERROR", "FATAL", "PANIC", "error"].contains(&severity) {
        return None;
    }
    let text = said[at + 2 + length + 1..].trim();
    Some(match place.rsplit_once(':') {
        Some(("<stdin>", line)) => format!("line {line}: {text}"),
        Some((file, line)) => format!("{file}, line {line}: {text}"),
        None => text.to_owned(),
    })
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

/// The clients' own table and role beside the operator's schema, as the database's owner would make them. The client is a
/// superuser's, so that the dump's event triggers keep still.
pub async fn add_probe(client: &Client, owner: &Login) -> Result<()> {
    let as_owner = format!("SET session_replication_role = replica; SET ROLE \"{}\"", owner.user);
    client.batch_execute(&as_owner).await.context("become the database's owner")?;
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
    fn an_event_trigger_is_created_by_the_function_and_what_stops_at_errors_is_left_out() {
        let edited = |text: &str| {
            let (mut scanner, mut line) = (script::Scanner::default(), text.as_bytes().to_vec());
            let commands = scanner.line(&line);
            edit(&mut line, &commands, &scanner.edges());
            String::from_utf8(line).unwrap()
        };

        assert_eq!(
            edited("CREATE EVENT TRIGGER a ON sql_drop EXECUTE FUNCTION f();\n"),
            "SELECT rehearsal_rds.event_trigger($rehearsal$CREATE EVENT TRIGGER a ON sql_drop EXECUTE FUNCTION f()$rehearsal$);\n"
        );
        assert_eq!(edited("\\set ON_ERROR_STOP 1\n"), "\n");
        assert_eq!(edited("DROP TABLE a; -- CREATE EVENT TRIGGER\n"), "DROP TABLE a; -- CREATE EVENT TRIGGER\n");
    }

    #[test]
    fn failed_statements_are_counted_and_shown() {
        let messages = "psql:<stdin>:12: ERROR:  role \"bob\" does not exist\npsql:<stdin>:13: NOTICE:  an ERROR: of ours\n\
                        psql:<stdin>:20: ERROR:  must be owner of extension plpgsql\nDETAIL: y: ERROR: z\n\
                        psql:data/part.sql:3: error: ./a.csv: No such file or directory\n";

        let restored = failures(messages);

        assert_eq!(restored.failed_statements, 3);
        assert_eq!(
            restored.lines(),
            [
                "3 statements of the dump failed:",
                "  line 12: role \"bob\" does not exist",
                "  line 20: must be owner of extension plpgsql",
                "  data/part.sql, line 3: ./a.csv: No such file or directory",
            ]
        );
        assert!(failures("").lines().is_empty());
        assert_eq!(failures(&messages.repeat(3)).lines()[0], "9 statements of the dump failed, the first 5:");
    }
}
