//! Chores: statements that the target still needs, kept in a table on it and run there by workers that outlive the
//! Lambda that started them. A Lambda lives 15 minutes, an index on a large table takes hours. The SQL is in `chores.sql`.

use pgleap_contract::redact;
use pgleap_contract::steps::{Unfinished, Warnings};

use crate::{PgError, Session, ident, search_path, without_values};

const SQL: &str = include_str!("chores.sql");

/// Which step a chore belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Make the target ready for the copy.
    Prepare,
    /// Build what was set aside, between load and changes.
    Rebuild,
    /// Statistics.
    Analyze,
    /// What the snapshot brought is read once, and indexes are checked.
    Warm,
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
            Phase::Warm => "warm",
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
    /// Chores that can still be done: neither failed for good nor behind one that has.
    pub possible: i64,
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
    owner.run("install the deferred jobs", &sql).await
}

/// Begin a plan, as the owner: install the functions that make it and answer whether it is still to be made. Everything up to
/// the caller's COMMIT is one transaction; two that plan at once wait for each other, and the second finds it made.
pub async fn begin_plan(owner: &Session, name: &str, functions: &str) -> Result<bool, PgError> {
    let lock = "SELECT pg_advisory_xact_lock(hashtext('pgleap plan'))";
    owner.run("plan the target", &format!("BEGIN; {lock}; {functions}")).await?;
    let sql = "INSERT INTO pgleap.plan (name) VALUES ($1) ON CONFLICT DO NOTHING RETURNING name";
    Ok(!owner.rows("plan the target", sql, &[&name]).await?.is_empty())
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
               (SELECT count(*) FROM mine m WHERE m.done_at IS NULL AND m.attempts < 3 AND NOT EXISTS (
                   SELECT FROM mine e WHERE e.object = m.object AND e.rank < m.rank AND e.done_at IS NULL AND e.attempts >= 3)),
               (SELECT count(*) FROM working),
               (SELECT count(*) FROM pgleap.chore c WHERE phase = $1 AND done_at IS NULL AND attempts < 3 AND not_before <= clock_timestamp()
                  AND rank = (SELECT pgleap.rank_in_work($1)) AND NOT pgleap.is_held_up(c)),
               (SELECT what FROM failed),
               coalesce((SELECT max(what) FROM working), (SELECT what FROM waiting), '')";
    let row = owner.row("read the state of the deferred jobs", sql, &[&phase.word(), &worker]).await?;
    Ok(Progress {
        total: row.get(0),
        left: row.get(1),
        possible: row.get(2),
        workers: row.get(3),
        free: row.get(4),
        failed: row.get::<_, Option<String>>(5).map(|failed| redact(&failed)),
        at: redact(row.get(6)),
    })
}

/// Whether there are chores at all: a run that was cleaned up on this side has none any more.
pub async fn are_there(owner: &Session) -> Result<bool, PgError> {
    let sql = "SELECT to_regclass('pgleap.chore') IS NOT NULL AND to_regclass('pgleap.phase_begun') IS NOT NULL";
    Ok(owner.row("count the deferred jobs", sql, &[]).await?.get(0))
}

/// For how many seconds this phase has been polled; the first call begins it.
pub async fn seconds_since_begun(owner: &Session, phase: Phase) -> Result<f64, PgError> {
    let begin = "INSERT INTO pgleap.phase_begun (phase) VALUES ($1) ON CONFLICT DO NOTHING";
    owner.rows("begin a phase of deferred jobs", begin, &[&phase.word()]).await?;
    let since = "SELECT extract(epoch FROM clock_timestamp() - at)::float8 FROM pgleap.phase_begun WHERE phase = $1";
    Ok(owner.row("read when the phase began", since, &[&phase.word()]).await?.get(0))
}

/// End the workers that were started under this name; what they were at is undone, and left.
pub async fn end_workers(owner: &Session, worker: &str) -> Result<(), PgError> {
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE usename = current_user AND pid <> pg_backend_pid() AND starts_with(application_name, $1)";
    owner.rows("end the workers", end, &[&worker]).await?;
    Ok(())
}

/// End the phase's workers, and count what they have not done as failed, for this reason unless the server gave one.
pub async fn give_up(owner: &Session, phase: Phase, worker: &str, reason: &str) -> Result<(), PgError> {
    end_workers(owner, worker).await?;
    let give_up = "UPDATE pgleap.chore SET attempts = 3, failure = concat_ws(': ', $2::text, failure)
                   WHERE phase = $1 AND done_at IS NULL AND attempts < 3";
    owner.rows("give up deferred jobs", give_up, &[&phase.word(), &reason]).await?;
    Ok(())
}

/// Objects that stay unfinished, with the statements that would finish them and the server's words: what failed for good
/// after OPEN, what was optional there, tables without statistics, and what was found or left when the target was warmed.
pub async fn unfinished(owner: &Session) -> Result<Warnings, PgError> {
    let sql = "
        WITH open AS (
            SELECT id, rank, object, statements, failure FROM pgleap.chore
            WHERE phase = 'settle' AND (done_at IS NULL OR optional AND failure IS NOT NULL)
            UNION ALL
            SELECT id, rank, regexp_replace(object, ' \\(stage 3 of 3\\)', ''), statements, failure FROM pgleap.chore
            WHERE phase = 'analyze' AND rank = 3 AND optional AND failure IS NOT NULL
            UNION ALL
            SELECT id, rank, object, statements, failure FROM pgleap.chore
            WHERE phase = 'warm' AND done_at IS NOT NULL AND failure IS NOT NULL
            UNION ALL
            SELECT min(id), 1, format('first reads of %s tables and indexes, or parts of them', sum(cardinality(statements))), '{}', min(failure)
            FROM pgleap.chore WHERE phase = 'warm' AND done_at IS NULL HAVING count(*) > 0
        ), object AS (
            SELECT o.object, min(o.id) AS id, coalesce((array_agg(o.failure ORDER BY o.id) FILTER (WHERE o.failure IS NOT NULL))[1], '') AS failure,
                   string_agg(array_to_string(o.statements, '; '), '; ' ORDER BY o.rank, o.id) AS statements
            FROM open o GROUP BY o.object
        )
        SELECT object, left(failure, $2), CASE WHEN length(statements) > $3 THEN left(statements, $3) || ' …' ELSE statements END, count(*) OVER ()
        FROM object ORDER BY id LIMIT $1";
    let (named, reason, statements) =
        (Warnings::NAMED as i64, Unfinished::LONGEST_REASON as i32, Unfinished::LONGEST_STATEMENTS as i32);
    let rows = owner.rows("list unfinished objects", sql, &[&named, &reason, &statements]).await?;
    let count: i64 = rows.first().map_or(0, |row| row.get(3));
    let named = rows
        .iter()
        .map(|row| Unfinished {
            object: row.get(0),
            reason: redact(&without_values(row.get(1))),
            statements: row.get(2),
        })
        .collect();
    Ok(Warnings { count: count.unsigned_abs(), named })
}

/// Chores that count as done although they failed, with the server's words.
pub async fn given_up(owner: &Session, phase: Phase) -> Result<Vec<String>, PgError> {
    let sql = "SELECT object || ': ' || failure FROM pgleap.chore WHERE phase = $1 AND optional AND failure IS NOT NULL AND done_at IS NOT NULL";
    let rows = owner.rows("list the deferred jobs that were given up", sql, &[&phase.word()]).await?;
    Ok(rows.iter().map(|row| redact(row.get(0))).collect())
}

/// Start a worker on the server and leave it to itself. It works under the search path that the applications have,
/// because functions in checks, index expressions and materialized views may need it.
pub async fn leave_worker(owner: Session, phase: Phase, worker: &str) -> Result<(), PgError> {
    let doing = "start a worker";
    let settings = "
        SELECT set_config('client_min_messages', 'error', false), set_config('application_name', $1, false),
               set_config('synchronous_commit', 'off', false), set_config('default_tablespace', '', false),
               set_config('lock_timeout', $2, false),
               set_config('search_path', $3, false),
               (SELECT count(set_config(name, '0', false)) FROM pg_settings WHERE name IN ('transaction_timeout', 'idle_session_timeout'))";
    let path = search_path::of_applications(&owner).await?.sql();
    owner.rows(doing, settings, &[&worker, &phase.lock_timeout(), &path]).await?;
    owner.start_and_leave(doing, &format!("CALL pgleap.work_off({})", crate::literal(phase.word()))).await
}

/// Run chores around and under the fence, at most `most` in one transaction. Answers what was done and what is left.
pub async fn complete(work: &Session, phase: Phase, most: i32) -> Result<(i64, i64), PgError> {
    let row = work
        .row("complete the target", "SELECT done, remaining FROM pgleap.complete($1, $2)", &[&phase.word(), &most])
        .await?;
    Ok((row.get(0), row.get(1)))
}
