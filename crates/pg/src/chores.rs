//! Chores: statements that the target still needs, kept in a table on it and run there by workers that outlive the
//! Lambda that started them. A Lambda lives 15 minutes, an index on a large table takes hours. The SQL is in `chores.sql`.

use crate::{PgError, Session, ident};

const SQL: &str = include_str!("chores.sql");

/// Which step a chore belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Make the target ready for DMS.
    Prepare,
    /// Build what was set aside, between load and changes.
    Rebuild,
    /// Statistics.
    Analyze,
    /// Just before the fence: autovacuum kept off the tables, because whoever wants its lock waits a second for it.
    Calm,
    /// Under the fence: what replication cannot stand and clients must not miss.
    Complete,
    /// Under the fence: materialized views that were measured to fit.
    Refresh,
    /// After OPEN, while clients work.
    Settle,
}

impl Phase {
    /// The word in the table.
    pub fn word(self) -> &'static str {
        match self {
            Phase::Prepare => "prepare",
            Phase::Rebuild => "rebuild",
            Phase::Analyze => "analyze",
            Phase::Calm => "calm",
            Phase::Complete => "complete",
            Phase::Refresh => "refresh",
            Phase::Settle => "settle",
        }
    }

    /// How long a worker waits for a lock before it comes again: whoever comes after it waits as long.
    fn lock_timeout(self) -> &'static str {
        if self == Phase::Settle { "300ms" } else { "2s" }
    }
}

/// How far a phase is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// Chores of the phase.
    pub total: i64,
    /// Chores that are not done.
    pub left: i64,
    /// Workers on the server.
    pub workers: i64,
    /// Chores that a further worker could take now.
    pub free: i64,
    /// A chore that failed for good, with the server's words.
    pub failed: Option<String>,
    /// What a worker is at, or what a chore that comes again waits for.
    pub at: String,
}

/// Install table, worker and `complete`, as the owner; the working login may call `complete`. Safe to repeat.
pub async fn install(owner: &Session, work_login: &str) -> Result<(), PgError> {
    let sql = format!(
        "BEGIN; {SQL}
         REVOKE ALL ON PROCEDURE pgleap.work_off(text) FROM PUBLIC;
         REVOKE ALL ON FUNCTION pgleap.complete(text, int), pgleap.rank_in_work(text), pgleap.is_held_up(pgleap.chore) FROM PUBLIC;
         GRANT EXECUTE ON FUNCTION pgleap.complete(text, int) TO {};
         COMMIT",
        ident(work_login)
    );
    owner.run("install the chores", &sql).await
}

/// How far a phase is. `worker` is the name that its workers were started under.
pub async fn look(owner: &Session, phase: Phase, worker: &str) -> Result<Progress, PgError> {
    let sql = "
        WITH mine AS (SELECT * FROM pgleap.chore WHERE phase = $1),
             failed AS (SELECT object || ': ' || failure AS what FROM mine WHERE done_at IS NULL AND attempts >= 3 ORDER BY id LIMIT 1),
             working AS (SELECT application_name AS what FROM pg_stat_activity
                         WHERE usename = current_user AND state = 'active' AND pid <> pg_backend_pid()
                           AND starts_with(application_name, $2)),
             waiting AS (SELECT object || coalesce(': ' || failure, '') AS what FROM mine WHERE done_at IS NULL ORDER BY failure NULLS LAST, rank, id LIMIT 1)
        SELECT (SELECT count(*) FROM mine), (SELECT count(*) FROM mine WHERE done_at IS NULL),
               (SELECT count(*) FROM working),
               (SELECT count(*) FROM pgleap.chore c WHERE phase = $1 AND done_at IS NULL AND attempts < 3 AND not_before <= clock_timestamp()
                  AND rank = (SELECT pgleap.rank_in_work($1)) AND NOT pgleap.is_held_up(c)),
               (SELECT what FROM failed),
               coalesce((SELECT max(what) FROM working), (SELECT what FROM waiting), '')";
    let row = owner.row("look at the chores", sql, &[&phase.word(), &worker]).await?;
    Ok(Progress {
        total: row.get(0),
        left: row.get(1),
        workers: row.get(2),
        free: row.get(3),
        failed: row.get(4),
        at: row.get(5),
    })
}

/// Say that the failures of a phase have been reported.
pub async fn note_reported(owner: &Session, phase: Phase) -> Result<(), PgError> {
    let sql = "UPDATE pgleap.chore SET reported = true WHERE phase = $1 AND done_at IS NULL AND attempts >= 3";
    owner.rows("note failed chores", sql, &[&phase.word()]).await?;
    Ok(())
}

/// Give chores whose failure was reported another chance: whoever calls after that has done something about it.
pub async fn forgive_reported(owner: &Session, phase: Phase) -> Result<(), PgError> {
    let sql =
        "UPDATE pgleap.chore SET reported = false, attempts = 0 WHERE phase = $1 AND done_at IS NULL AND reported";
    owner.rows("try failed chores again", sql, &[&phase.word()]).await?;
    Ok(())
}

/// Chores that count as done although they failed, with the server's words.
pub async fn given_up(owner: &Session, phase: Phase) -> Result<Vec<String>, PgError> {
    let sql = "SELECT object || ': ' || failure FROM pgleap.chore WHERE phase = $1 AND optional AND failure IS NOT NULL AND done_at IS NOT NULL";
    let rows = owner.rows("look for chores given up", sql, &[&phase.word()]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Start a worker on the server and leave it to itself. It works under the search path that the database's users have,
/// because functions in index expressions and materialized views may need it.
pub async fn leave_worker(owner: Session, phase: Phase, worker: &str) -> Result<(), PgError> {
    let doing = "start a worker";
    let settings = "
        SELECT set_config('client_min_messages', 'error', false), set_config('application_name', $1, false),
               set_config('synchronous_commit', 'off', false), set_config('default_tablespace', '', false),
               set_config('lock_timeout', $2, false),
               set_config('search_path', coalesce((
                   SELECT substr(setting, length('search_path=') + 1) FROM pg_db_role_setting s, unnest(s.setconfig) AS setting
                   WHERE s.setrole = 0 AND s.setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
                     AND starts_with(setting, 'search_path=')), '\"$user\", public'), false),
               (SELECT count(set_config(name, '0', false)) FROM pg_settings WHERE name IN ('transaction_timeout', 'idle_session_timeout'))";
    owner.rows(doing, settings, &[&worker, &phase.lock_timeout()]).await?;
    owner.start_and_leave(doing, &format!("CALL pgleap.work_off({})", crate::literal(phase.word()))).await
}

/// Run chores around and under the fence, at most `most` in one transaction. Answers what was done and what is left.
pub async fn complete(work: &Session, phase: Phase, most: i32) -> Result<(i64, i64), PgError> {
    let row = work
        .row("complete the target", "SELECT done, remaining FROM pgleap.complete($1, $2)", &[&phase.word(), &most])
        .await?;
    Ok((row.get(0), row.get(1)))
}
