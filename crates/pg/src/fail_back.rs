//! The fail-back path, as the databases keep it: where the old server begins to follow the new one, and whether it may. The statements
//! are in `fail_back.sql`; the publication, the slots' use and the subscription are the native engine's.

use pgleap_contract::{Cutover, Generation};

use crate::access::until;
use crate::{Lsn, PgError, Session};

/// What the new server says of the fail-back path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The slot from which the old server follows.
    pub slot: String,
    /// Where it begins; none before the fence.
    pub start: Option<Lsn>,
    /// Nobody fails back any more.
    pub is_closed: bool,
    /// What people were told last of what makes it useless.
    pub told: Option<String>,
}

/// Note on the new server that a fail-back path is kept, as the owner. Safe to repeat.
pub async fn keep(owner: &Session, slot: &str) -> Result<(), PgError> {
    let sql = "INSERT INTO pgleap.fail_back (slot) VALUES ($1::text::name) ON CONFLICT DO NOTHING";
    owner.rows("note that a fail-back path is kept", sql, &[&slot]).await?;
    Ok(())
}

/// What the new server says; none where no fail-back path is kept, or the run's schema is gone.
pub async fn look(session: &Session) -> Result<Option<Kept>, PgError> {
    let doing = "read the state of the fail-back path";
    let is_there = "SELECT to_regclass('pgleap.fail_back') IS NOT NULL";
    if !session.row(doing, is_there, &[]).await?.get::<_, bool>(0) {
        return Ok(None);
    }
    let sql = "SELECT slot::text, start::text, closed_at IS NOT NULL, told FROM pgleap.fail_back";
    let rows = session.rows(doing, sql, &[]).await?;
    Ok(rows.first().map(|row| Kept {
        slot: row.get(0),
        start: row.get::<_, Option<&str>>(1).and_then(|lsn| lsn.parse().ok()),
        is_closed: row.get(2),
        told: row.get(3),
    }))
}

/// Under the fence, once nothing writes to the new server any more: have the slot `name` stand exactly where the old server begins
/// to follow.
///
/// The position is committed before anything moves, and every later call uses the same. A slot that is moved forgets it when the
/// server dies before its next checkpoint, and would send the old server its own changes again; so `seed` is moved, and `name` is
/// copied from it, which is on disk at once. A copy that exists is never made again.
pub async fn seal(session: &Session, cutover: &Cutover, name: &str, seed: &str) -> Result<(), PgError> {
    let doing = "set where the old server begins to follow";
    let known = "SELECT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = $1::text::name)";
    if session.row(doing, known, &[&name]).await?.get(0) {
        return Ok(()); // OPEN checks where it stands
    }
    let (generation, deadline) = (cutover.generation.number(), cutover.deadline_epoch_ms);
    let take = format!("SELECT pgleap.start_of_fail_back($1, {})::text", until(2));
    session.row(doing, &take, &[&generation, &deadline]).await?;
    let advance =
        format!("SELECT pg_replication_slot_advance($3::text::name, pgleap.start_of_fail_back($1, {}))", until(2));
    session.row(doing, &advance, &[&generation, &deadline, &seed]).await?;
    let copy = "SELECT pg_copy_logical_replication_slot($1::text::name, $2::text::name)";
    session.row(doing, copy, &[&seed, &name]).await?;
    Ok(())
}

/// The latest cutover on this side.
pub async fn current(session: &Session) -> Result<Generation, PgError> {
    let sql = "SELECT max(generation) FROM pgleap.outcome";
    let row = session.row("read which cutover is the latest", sql, &[]).await?;
    Ok(Generation::from_number(row.get::<_, Option<i32>>(0).unwrap_or_default()).unwrap_or(Generation::FORWARD))
}

/// Move `seed` to where the new server writes now, so that little is left to do under the fence and little WAL is kept. Not once
/// the start is set.
pub async fn keep_up(session: &Session, seed: &str) -> Result<(), PgError> {
    let sql = "SELECT pg_replication_slot_advance(s.slot_name, pg_current_wal_lsn()) FROM pg_replication_slots s, pgleap.fail_back w
               WHERE s.slot_name = $1::text::name AND NOT s.active AND w.start IS NULL";
    session.rows("move the slot of the fail-back path", sql, &[&seed]).await?;
    Ok(())
}

/// Note what people were told of it, on the new server.
pub async fn note_told(session: &Session, told: &str) -> Result<(), PgError> {
    session.rows("note what people were told", "SELECT pgleap.note_told($1)", &[&told]).await?;
    Ok(())
}

/// The cutover that an execution began on this side, if it began one.
pub async fn begun_by(session: &Session, who: &str) -> Result<Option<Generation>, PgError> {
    let sql = "SELECT generation FROM pgleap.outcome WHERE holder = $1";
    let rows = session.rows("look for the cutover of this execution", sql, &[&who]).await?;
    Ok(rows.first().and_then(|row| Generation::from_number(row.get(0))))
}

/// Begin a cutover on this side. Refused while another one is undecided, and once the path is closed.
pub async fn begin(session: &Session, generation: Generation, who: &str) -> Result<(), PgError> {
    let sql = "SELECT pgleap.begin_cutover($1, $2)";
    session.row("begin to fail back", sql, &[&generation.number(), &who]).await?;
    Ok(())
}

/// On the old server, once it follows no more: the triggers that were switched off meanwhile are as they were. Nothing is to do
/// where there are none.
pub async fn restore_triggers(session: &Session) -> Result<(), PgError> {
    session.row("restore the triggers of the old server", "SELECT pgleap.restore_triggers()", &[]).await?;
    Ok(())
}

/// On the new server: nobody fails back from here on.
pub async fn close(session: &Session) -> Result<(), PgError> {
    session.row("close the fail-back path", "SELECT pgleap.close_fail_back()", &[]).await?;
    Ok(())
}
