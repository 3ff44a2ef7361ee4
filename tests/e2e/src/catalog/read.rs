//! Read a database's catalogs by the queries beside this file.

use anyhow::{Context, Result};
use serde_json::Value;
use tokio_postgres::Client;

use super::{Catalog, Facts, ObjectName};

const SETTINGS: &str = include_str!("queries/settings.sql");
const PRELUDE: &str = include_str!("queries/prelude.sql");
const QUERIES: &[(&str, &str)] = &[
    ("tables", include_str!("queries/tables.sql")),
    ("columns", include_str!("queries/columns.sql")),
    ("constraints", include_str!("queries/constraints.sql")),
    ("indexes", include_str!("queries/indexes.sql")),
    ("sequences", include_str!("queries/sequences.sql")),
    ("routines", include_str!("queries/routines.sql")),
    ("triggers", include_str!("queries/triggers.sql")),
    ("types", include_str!("queries/types.sql")),
    ("statistics", include_str!("queries/statistics.sql")),
    ("schemas", include_str!("queries/schemas.sql")),
    ("comments", include_str!("queries/comments.sql")),
    ("cluster", include_str!("queries/cluster.sql")),
];

/// Read everything. The session must be a superuser's and is not to be used for anything else afterwards: its
/// search_path is empty.
pub async fn read(client: &Client) -> Result<Catalog> {
    prepare(client).await?;
    read_prepared(client).await
}

/// Make what the queries need, which takes a transaction that may write.
pub async fn prepare(client: &Client) -> Result<()> {
    print_plainly(client).await?;
    client.batch_execute(PRELUDE).await.context("prepare the reading of catalogs")
}

/// Let a session print definitions as all sessions that read catalogs do.
pub(super) async fn print_plainly(client: &Client) -> Result<()> {
    client.batch_execute(SETTINGS).await.context("set how definitions are printed")
}

/// Read everything in a prepared session, which may be in a snapshot by now.
pub async fn read_prepared(client: &Client) -> Result<Catalog> {
    let version: i32 = client
        .query_one("SELECT current_setting('server_version_num')::int", &[])
        .await
        .context("read the server's version")?
        .get(0);
    let mut catalog = Catalog { major: u16::try_from(version / 10_000)?, ..Catalog::default() };
    for (name, query) in QUERIES {
        let rows = client.query(*query, &[]).await.with_context(|| format!("read catalogs ({name})"))?;
        for row in rows {
            let object = ObjectName { kind: row.get(0), name: row.get(1) };
            catalog.objects.insert(object, facts(row.get(2)));
        }
    }
    Ok(catalog)
}

fn facts(value: Value) -> Facts {
    let Value::Object(members) = value else { return Facts::new() };
    members
        .into_iter()
        .map(|(name, value)| match value {
            Value::String(text) => (name, text),
            other => (name, other.to_string()),
        })
        .collect()
}
