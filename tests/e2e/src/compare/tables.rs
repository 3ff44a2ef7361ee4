//! What is done to tables by hand before they can be copied.

use anyhow::{Context, Result};
use tokio_postgres::Client;

/// Tables of the user whose old rows PostgreSQL could not tell apart.
const KEYLESS: &str = "
    SELECT format('ALTER TABLE %s REPLICA IDENTITY FULL', c.oid::regclass) FROM pg_class c
    WHERE c.relkind = 'r' AND c.relreplident = 'd' AND c.relnamespace::regnamespace::text !~ '^(pg_|information_schema)'
      AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary)";

/// All tables of the user, with the roots of partitioned ones instead of their partitions.
pub(super) const TABLES: &str = "
    SELECT string_agg(c.oid::regclass::text, ', ') FROM pg_class c
    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence = 'p'
      AND c.relnamespace::regnamespace::text !~ '^(pg_|information_schema)'";

/// The clients' users.
pub(super) const USERS: [&str; 3] = ["shop_app", "shop_owner", "shop_admin"];

/// Sessions of the clients, and no worker of a replication.
const END_CLIENTS: &str = "
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
      AND usename = ANY ($1::text[]::name[]) AND application_name <> 'operator'";

/// Run statements one after the other.
pub(super) async fn run_each(client: &Client, statements: impl Iterator<Item = String>) -> Result<()> {
    for statement in statements {
        client.batch_execute(&statement).await.with_context(|| format!("run {statement}"))?;
    }
    Ok(())
}

/// Have tables without a key log whole rows.
pub(super) async fn log_whole_rows(source: &Client) -> Result<()> {
    let rows = source.query(KEYLESS, &[]).await.context("list tables without a key")?;
    run_each(source, rows.iter().map(|row| row.get(0))).await
}

/// Empty every table; no trigger fires.
pub(super) async fn empty(target: &Client) -> Result<()> {
    let tables: String = target.query_one(TABLES, &[]).await.context("list the tables")?.get(0);
    let empty = format!("SET session_replication_role = replica; TRUNCATE {tables}; RESET session_replication_role");
    target.batch_execute(&empty).await.context("empty the tables")
}

/// End the clients' sessions.
pub(super) async fn end_clients(source: &Client) -> Result<()> {
    let users = USERS.map(str::to_owned).to_vec();
    source.query(END_CLIENTS, &[&users]).await.context("end the clients' sessions").map(|_ended| ())
}
