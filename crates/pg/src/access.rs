//! Who may connect: taken away, given back, proven. The statements are in `access.sql`.
//!
//! The functions are installed by the owner's login and belong to it; only the run's working login may call them.
//! Under the fence that login is the only one that gets in, and it needs no right of its own but this.

use pgleap_contract::Outcome;

use crate::{PgError, Session, ident};

const SQL: &str = include_str!("access.sql");

const FUNCTIONS: &[&str] = &[
    "pgleap.shut(name[])",
    "pgleap.open_doors(name[])",
    "pgleap.end_others(name[])",
    "pgleap.others(name[])",
    "pgleap.admit(name[])",
    "pgleap.claim(text)",
    "pgleap.open(name[])",
    "pgleap.retire()",
];

/// What could still write beside the roles that are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Others {
    /// Backends that are starting and may have passed the CONNECT check.
    pub starting: i64,
    /// Sessions.
    pub sessions: i64,
    /// Prepared transactions, which outlive sessions.
    pub prepared: i64,
    /// Databases with a door still open: `orders: PUBLIC`.
    pub doors: Vec<String>,
}

impl Others {
    /// Nobody else can write, now or later.
    pub fn none(&self) -> bool {
        self.starting == 0 && self.sessions == 0 && self.prepared == 0 && self.doors.is_empty()
    }
}

/// Install the functions, as the owner, for the working login. The schema `pgleap` exists. Safe to repeat.
pub async fn install(owner: &Session, work_login: &str) -> Result<(), PgError> {
    let work = ident(work_login);
    let mut sql = format!("BEGIN; {SQL}");
    for function in FUNCTIONS {
        sql.push_str(&format!(
            "REVOKE ALL ON FUNCTION {function} FROM PUBLIC; GRANT EXECUTE ON FUNCTION {function} TO {work};"
        ));
    }
    sql.push_str(&format!(
        "GRANT USAGE ON SCHEMA pgleap TO {work}; GRANT SELECT ON pgleap.outcome, pgleap.saved_access TO {work};"
    ));
    sql.push_str("COMMIT");
    owner.run("install functions of the fence", &sql).await
}

/// Take CONNECT from everybody but `keep`. What was allowed is saved by the first call.
pub async fn shut(session: &Session, keep: &[&str]) -> Result<(), PgError> {
    session.row("revoke CONNECT", "SELECT pgleap.shut($1::text[]::name[])", &[&keep]).await?;
    Ok(())
}

/// End the sessions of everybody but `keep`; answers how many were told to end.
pub async fn end_others(session: &Session, keep: &[&str]) -> Result<u64, PgError> {
    let row = session.row("end sessions", "SELECT pgleap.end_others($1::text[]::name[])", &[&keep]).await?;
    Ok(row.get::<_, i64>(0).unsigned_abs())
}

/// Look who else could still write.
pub async fn others(session: &Session, keep: &[&str]) -> Result<Others, PgError> {
    let row = session
        .row("look for writers", "SELECT starting, sessions, prepared FROM pgleap.others($1::text[]::name[])", &[&keep])
        .await?;
    let doors = session.rows("look for open doors", "SELECT pgleap.open_doors($1::text[]::name[])", &[&keep]).await?;
    Ok(Others {
        starting: row.get(0),
        sessions: row.get(1),
        prepared: row.get(2),
        doors: doors.iter().map(|door| door.get(0)).collect(),
    })
}

/// Give CONNECT back as it was saved, but not to `except`.
pub async fn admit(session: &Session, except: &[&str]) -> Result<(), PgError> {
    session.row("give CONNECT back", "SELECT pgleap.admit($1::text[]::name[])", &[&except]).await?;
    Ok(())
}

/// Claim the one row of this side; answers who holds it.
pub async fn claim(session: &Session, wanted: Outcome) -> Result<Outcome, PgError> {
    let row = session.row("claim the outcome", "SELECT pgleap.claim($1)", &[&word(wanted)]).await?;
    Ok(from_word(row.get(0)))
}

/// OPEN: claim the row and give CONNECT back, but not to `except`, in one transaction; answers who holds the row.
pub async fn open(session: &Session, except: &[&str]) -> Result<Outcome, PgError> {
    let row = session.row("open the target", "SELECT pgleap.open($1::text[]::name[])", &[&except]).await?;
    Ok(from_word(row.get(0)))
}

/// Who holds the one row of this side, if anybody does.
pub async fn outcome(session: &Session) -> Result<Option<Outcome>, PgError> {
    let rows = session.rows("read the outcome", "SELECT outcome FROM pgleap.outcome", &[]).await?;
    Ok(rows.first().map(|row| from_word(row.get(0))))
}

/// After the run, on the source: the owner may look at what was left, read-only by default; nobody else gets in.
pub async fn retire(session: &Session) -> Result<(), PgError> {
    session.run("retire the source", "SELECT pgleap.retire()").await
}

fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Open => "open",
        Outcome::Back => "back",
    }
}

/// The table's CHECK allows only these two.
fn from_word(word: &str) -> Outcome {
    if word == "open" { Outcome::Open } else { Outcome::Back }
}
