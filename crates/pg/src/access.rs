//! Who may connect: revoked, given back, proven; and the outcome of a cutover. The statements are in `access.sql`, those of the
//! fail-back path in `fail_back.sql`.
//!
//! The functions are installed by the owner's login and belong to it; only the run's working login may call them.
//! Under the fence that login is the only one that gets in, and it needs no right of its own but this.

use std::collections::BTreeSet;

use pgleap_contract::{Cutover, Generation, Outcome};

use crate::{PgError, Session, ident};

const SQL: &str = concat!(include_str!("access.sql"), include_str!("fail_back.sql"));

const FUNCTIONS: &[&str] = &[
    "pgleap.shut(int, timestamptz, name[])",
    "pgleap.open_doors(name[])",
    "pgleap.members_of(name[])",
    "pgleap.end_others(name[])",
    "pgleap.others(name[])",
    "pgleap.saved_doors(text[])",
    "pgleap.admit(int, name[])",
    "pgleap.claim(int, text)",
    "pgleap.open(int, timestamptz, name[], name[])",
    "pgleap.retire(int)",
    "pgleap.start_of_fail_back(int, timestamptz)",
    "pgleap.restore_triggers()",
    "pgleap.begin_cutover(int, text)",
    "pgleap.note_told(text)",
    "pgleap.close_fail_back()",
];
/// Called by the others, with the owner's rights; nobody else may.
const PARTS: &[&str] = &[
    "pgleap.hold_undecided(int, timestamptz)",
    "pgleap.grant_saved(name[])",
    "pgleap.unready_fail_back()",
    "pgleap.hold_followed()",
    "pgleap.let_follow(name)",
    "pgleap.set_triggers_aside()",
];

/// `application_name` of a session that rolls back: such sessions do not end each other.
pub const ROLLBACK: &str = "rollback";

/// What could still write beside the roles that are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Others {
    /// Backends that are starting and may have passed the CONNECT check.
    pub starting: BTreeSet<i32>,
    /// Sessions.
    pub sessions: i64,
    /// Background workers of a superuser that hold a transaction or a snapshot.
    pub workers: i64,
    /// Prepared transactions, which outlive sessions.
    pub prepared: i64,
    /// Databases with a door still open: `orders: PUBLIC`.
    pub doors: Vec<String>,
}

impl Others {
    /// Nobody else can write, now or later.
    pub fn none(&self) -> bool {
        self.starting.is_empty()
            && self.sessions == 0
            && self.workers == 0
            && self.prepared == 0
            && self.doors.is_empty()
    }

    /// Of the starting backends only those that were seen before: whoever began to start after CONNECT was revoked is
    /// refused, and thousands of refused clients a second must not hide that nobody is left.
    pub fn started_before(mut self, first: &mut Option<BTreeSet<i32>>) -> Self {
        let seen = first.get_or_insert_with(|| self.starting.clone());
        seen.retain(|pid| self.starting.contains(pid));
        self.starting.clone_from(seen);
        self
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
    for function in PARTS {
        sql.push_str(&format!("REVOKE ALL ON FUNCTION {function} FROM PUBLIC;"));
    }
    sql.push_str(&format!(
        "GRANT USAGE ON SCHEMA pgleap TO {work}; GRANT SELECT ON pgleap.outcome, pgleap.saved_access, pgleap.fail_back TO {work};"
    ));
    sql.push_str("COMMIT");
    owner.run("install the functions of the fence", &sql).await
}

/// The deadline in parameter `n`, milliseconds since the epoch, as the functions want it.
pub(crate) fn until(n: u8) -> String {
    format!("to_timestamp(${n}::bigint / 1000.0)")
}

/// Revoke CONNECT from everybody but `keep`. What was allowed is saved by the first call. Refused once the cutover is
/// decided or its deadline has passed.
pub async fn shut(session: &Session, cutover: &Cutover, keep: &[&str]) -> Result<(), PgError> {
    let sql = format!("SELECT pgleap.shut($1, {}, $3::text[]::name[])", until(2));
    let (generation, deadline) = (cutover.generation.number(), cutover.deadline_epoch_ms);
    session.row("revoke CONNECT", &sql, &[&generation, &deadline, &keep]).await?;
    Ok(())
}

/// The same without a deadline, for a copy that has not served anybody yet.
pub async fn shut_copy(session: &Session, generation: Generation, keep: &[&str]) -> Result<(), PgError> {
    let sql = "SELECT pgleap.shut($1, NULL, $2::text[]::name[])";
    session.row("revoke CONNECT", sql, &[&generation.number(), &keep]).await?;
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
        .row(
            "list the writers",
            "SELECT starting, sessions, workers, prepared FROM pgleap.others($1::text[]::name[])",
            &[&keep],
        )
        .await?;
    let doors =
        session.rows("list who may still connect", "SELECT pgleap.open_doors($1::text[]::name[])", &[&keep]).await?;
    Ok(Others {
        starting: row.get::<_, Vec<i32>>(0).into_iter().collect(),
        sessions: row.get(1),
        workers: row.get(2),
        prepared: row.get(3),
        doors: doors.iter().map(|door| door.get(0)).collect(),
    })
}

/// Logins that would pass the fence as members of a login that is kept.
pub async fn members_of(session: &Session, keep: &[&str]) -> Result<Vec<String>, PgError> {
    let sql = "SELECT m::text FROM pgleap.members_of($1::text[]::name[]) m ORDER BY 1";
    let rows = session.rows("list the members of the run's logins", sql, &[&keep]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Give CONNECT back as it was saved, but not to `except`. Refused while the cutover is undecided.
pub async fn admit(session: &Session, generation: Generation, except: &[&str]) -> Result<(), PgError> {
    let sql = "SELECT pgleap.admit($1, $2::text[]::name[])";
    session.row("restore CONNECT", sql, &[&generation.number(), &except]).await?;
    Ok(())
}

/// Claim the outcome on this side; answers who holds it.
pub async fn claim(session: &Session, generation: Generation, wanted: Outcome) -> Result<Outcome, PgError> {
    let sql = "SELECT pgleap.claim($1, $2)";
    let row = session.row("claim the outcome", sql, &[&generation.number(), &word(wanted)]).await?;
    Ok(from_word(row.get(0)))
}

/// OPEN: claim the outcome and give CONNECT back, but not to `except`, in one transaction. Refused where the source is not
/// drained, where anybody but `keep` may connect, where the rollback was claimed first, and after the deadline.
pub async fn open(session: &Session, cutover: &Cutover, keep: &[&str], except: &[&str]) -> Result<(), PgError> {
    let sql = format!("SELECT pgleap.open($1, {}, $3::text[]::name[], $4::text[]::name[])", until(2));
    let (generation, deadline) = (cutover.generation.number(), cutover.deadline_epoch_ms);
    session.row("open the target", &sql, &[&generation, &deadline, &keep, &except]).await?;
    Ok(())
}

/// Who holds the outcome on this side, if it is decided.
pub async fn outcome(session: &Session, generation: Generation) -> Result<Option<Outcome>, PgError> {
    let sql = "SELECT outcome FROM pgleap.outcome WHERE generation = $1 AND outcome IS NOT NULL";
    let rows = session.rows("read the outcome", sql, &[&generation.number()]).await?;
    Ok(rows.first().map(|row| from_word(row.get(0))))
}

/// Whether CONNECT was revoked on this side and not given back.
pub async fn is_shut(session: &Session) -> Result<bool, PgError> {
    let doing = "check whether the fence is in place";
    let is_installed = "SELECT to_regclass('pgleap.saved_access') IS NOT NULL";
    if !session.row(doing, is_installed, &[]).await?.get::<_, bool>(0) {
        return Ok(false);
    }
    Ok(session.row(doing, "SELECT EXISTS (SELECT FROM pgleap.saved_access)", &[]).await?.get(0))
}

/// After the run, on the source: the owner may look at what was left, read-only by default; nobody else gets in.
pub async fn retire(session: &Session, generation: Generation) -> Result<(), PgError> {
    session.row("keep the source closed and read-only", "SELECT pgleap.retire($1)", &[&generation.number()]).await?;
    Ok(())
}

/// End every other session of the login that is connected, but those that roll back too: what a late call has begun ends
/// here. Answers how many are left after the time given.
pub async fn end_own(session: &Session, rollback: &str, patience: std::time::Duration) -> Result<i64, PgError> {
    let sql = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
               WHERE usename = current_user AND pid <> pg_backend_pid() AND application_name <> $1";
    let began = std::time::Instant::now();
    loop {
        let left: i64 = session.row("end the run's other sessions", sql, &[&rollback]).await?.get(0);
        if left == 0 || began.elapsed() >= patience {
            return Ok(left);
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_backends_that_were_starting_at_the_first_look_are_waited_for() {
        let look = |pids: &[i32]| Others { starting: pids.iter().copied().collect(), ..Others::default() };
        let mut first = None;

        assert_eq!(look(&[1, 2]).started_before(&mut first), look(&[1, 2]));
        assert_eq!(look(&[2, 3, 4]).started_before(&mut first), look(&[2]));
        assert!(look(&[5, 6]).started_before(&mut first).none());
        assert!(look(&[2]).started_before(&mut first).none(), "a process id that comes again is another backend");
    }
}
