//! Statements that are tried in a transaction: each in a savepoint, so that a refusal costs nothing.

use anyhow::{Context, Result};
use tokio_postgres::Client;
use tokio_postgres::types::ToSql;

/// A row's values as texts.
pub(super) type Row = Vec<Option<String>>;
/// What was tried, or why it was refused.
pub(super) type Tried<T> = std::result::Result<T, String>;

/// Run a statement and keep what it did; its one row as texts.
pub(super) async fn keep(client: &Client, sql: &str, params: &[Option<String>]) -> Result<Tried<Row>> {
    tried(client, sql, params, "RELEASE SAVEPOINT trial").await
}

/// Run a statement and take back what it did.
pub(super) async fn undo(client: &Client, sql: &str, params: &[Option<String>]) -> Result<Tried<Row>> {
    tried(client, sql, params, "ROLLBACK TO SAVEPOINT trial").await
}

async fn tried(client: &Client, sql: &str, params: &[Option<String>], end: &str) -> Result<Tried<Row>> {
    client.batch_execute("SAVEPOINT trial").await.context("begin a trial")?;
    let params: Vec<&(dyn ToSql + Sync)> = params.iter().map(|param| param as &(dyn ToSql + Sync)).collect();
    let mut outcome = match client.query(sql, &params).await {
        Ok(rows) if rows.len() == 1 => Ok(rows[0].get::<_, Row>(0)),
        Ok(rows) => Err(format!("a write changes {} rows", rows.len())),
        Err(error) => Err(reason(&error)?),
    };
    if outcome.is_ok()
        && let Err(error) = client.batch_execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED").await
    {
        outcome = Err(reason(&error)?);
    }
    let end = if outcome.is_ok() { end } else { "ROLLBACK TO SAVEPOINT trial" };
    client.batch_execute(end).await.context("end a trial")?;
    Ok(outcome)
}

/// Rows of one array of texts each.
pub(super) async fn arrays(client: &Client, sql: &str) -> Result<Tried<Vec<Row>>> {
    client.batch_execute("SAVEPOINT looking").await.context("begin to look")?;
    let found = match client.query(sql, &[]).await {
        Ok(rows) => Ok(rows.iter().map(|row| row.get(0)).collect()),
        Err(error) => Err(reason(&error)?),
    };
    client.batch_execute("ROLLBACK TO SAVEPOINT looking").await.context("end to look")?;
    Ok(found)
}

/// What the server says; a lost connection is no answer.
fn reason(error: &tokio_postgres::Error) -> Result<String> {
    let server = error.as_db_error().with_context(|| format!("try a write: {error}"))?;
    Ok(server.message().to_owned())
}
