//! The marker table: rows that the replication carries in commit order. One that is seen on the target proves that everything
//! committed before it is there too. Steps also note in it, on the target, how far a drain came.

use std::time::{Duration, Instant};

use pgleap_contract::Generation;

use crate::{PgError, Session};

/// Write one on the source; answers its id. The commit is on disk.
pub async fn write(source: &Session, kind: &str) -> Result<String, PgError> {
    let sql = "INSERT INTO pgleap.marker (id, kind) VALUES (gen_random_uuid(), $1::text) RETURNING id::text";
    Ok(source.row("write a marker", sql, &[&kind]).await?.get(0))
}

/// Whether the target has it.
pub async fn has(target: &Session, id: &str) -> Result<bool, PgError> {
    let sql = "SELECT EXISTS (SELECT FROM pgleap.marker WHERE id = $1::text::uuid)";
    Ok(target.row("look for the marker", sql, &[&id]).await?.get(0))
}

/// How long one takes from its commit on the source to its sight on the target; none if it has not arrived within `longest`.
pub async fn travel(
    source: &Session,
    target: &Session,
    kind: &str,
    longest: Duration,
    interval: Duration,
) -> Result<Option<Duration>, PgError> {
    let id = write(source, kind).await?;
    let committed = Instant::now();
    while !has(target, &id).await? {
        if committed.elapsed() >= longest {
            return Ok(None);
        }
        tokio::time::sleep(interval).await;
    }
    Ok(Some(committed.elapsed()))
}

/// Whether a drain came as far as `what`.
pub async fn is_noted(target: &Session, what: &str, generation: Generation) -> Result<bool, PgError> {
    let sql = "SELECT EXISTS (SELECT FROM pgleap.marker WHERE kind = $1::text)";
    Ok(target.row("read the markers", sql, &[&kind(what, generation)]).await?.get(0))
}

/// Note that it did; once, however often it is noted.
pub async fn note(target: &Session, what: &str, generation: Generation) -> Result<(), PgError> {
    let sql = "INSERT INTO pgleap.marker (id, kind) SELECT gen_random_uuid(), $1::text
               WHERE NOT EXISTS (SELECT FROM pgleap.marker WHERE kind = $1::text)";
    target.rows(&format!("record that the source is {what}"), sql, &[&kind(what, generation)]).await?;
    Ok(())
}

/// `drained-1`, which OPEN looks for (`access.sql`).
fn kind(what: &str, generation: Generation) -> String {
    format!("{what}-{generation}")
}
