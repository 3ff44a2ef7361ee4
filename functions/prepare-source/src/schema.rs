//! Schema `pgleap`: the run's own, and only its own.

use pgleap_pg::{Session, ident, literal};
use pgleap_step_kit::prelude::*;

/// A schema of that name which another run or somebody else has made is left alone.
pub(crate) async fn check_ours(owner: &Session, run: &Run) -> StepResult<()> {
    let look = "SELECT count(*) FILTER (WHERE n.nspname = 'pgleap'), count(c.oid) \
                FROM pg_namespace n LEFT JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = 'run' \
                WHERE n.nspname = 'pgleap'";
    let row = owner.row("look for schema pgleap", look, &[]).await?;
    let (schemas, tables): (i64, i64) = (row.get(0), row.get(1));
    if schemas == 0 {
        return Ok(());
    }
    let holders = match tables {
        0 => Vec::new(),
        _ => owner.rows("read the owner of schema pgleap", "SELECT id FROM pgleap.run LIMIT 2", &[]).await?,
    };
    match holders.iter().map(|row| row.get::<_, &str>(0)).collect::<Vec<_>>()[..] {
        [id] if id == run.id.as_str() => Ok(()),
        [id, ..] => Err(taken(&format!("it belongs to run {id}, which has not been cleaned up"))),
        [] => Err(taken("no run created it")),
    }
}

fn taken(reason: &str) -> StepError {
    StepError::new(ErrorCode::PreflightBlocked, format!("use schema pgleap: {reason}"))
}

/// Make it.
pub(crate) async fn ensure(owner: &Session, run: &Run) -> StepResult<()> {
    let names = run.names();
    let sql = format!(
        include_str!("schema.sql"),
        run = literal(run.id.as_str()),
        work = ident(&names.work_login()),
        copy = ident(&names.copy_login())
    );
    Ok(owner.run("create schema pgleap", &sql).await?)
}
