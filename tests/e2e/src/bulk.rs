//! Bulk beside the source's own tables: very many small ones, one very large one. For the promise that a function's
//! memory depends on neither.

use anyhow::{Context, Result};
use clap::Args;
use tokio_postgres::Client;

const TABLES: &str = include_str!("../schema/bulk_tables.sql");
const ROWS: &str = include_str!("../schema/bulk_rows.sql");

/// How much.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Args)]
pub struct Bulk {
    /// Number of small tables to add to the source.
    #[arg(long, default_value_t = 0)]
    pub tables: u32,
    /// Size of one large table to add to the source, in MB.
    #[arg(long, default_value_t = 0)]
    pub wide_megabytes: u32,
}

/// Make it in the database that the client, the master user's, is connected to.
pub async fn load(client: &Client, bulk: Bulk) -> Result<()> {
    let parts = [
        ("tables", bulk.tables, TABLES, "many tables"),
        ("wide_megabytes", bulk.wide_megabytes, ROWS, "a large table"),
    ];
    for (setting, amount, sql, what) in parts.into_iter().filter(|(_, amount, _, _)| *amount > 0) {
        let set = format!("SET rehearsal.{setting} = {amount}");
        client.batch_execute(&set).await.with_context(|| format!("set the size of {what}"))?;
        client.batch_execute(sql).await.with_context(|| format!("make {what}"))?;
    }
    if bulk != Bulk::default() {
        // It warns of every catalog that only a superuser may analyze.
        client.batch_execute("SET client_min_messages = error").await.context("keep warnings back")?;
        client.batch_execute("ANALYZE").await.context("analyze the source")?;
    }
    Ok(())
}
