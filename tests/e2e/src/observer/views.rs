//! Materialized views: whether the target's are as old as the fence or younger.

use anyhow::{Context, Result};
use serde::Serialize;
use tokio_postgres::Client;

use super::rows::sums_of;

/// One populated materialized view of the target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ViewAge {
    /// Schema and name.
    pub name: String,
    /// Held at the drain point what its definition gave then.
    pub fresh_at_drain: bool,
    /// Was filled anew later.
    pub refreshed_later: bool,
    #[serde(skip)]
    file: i64,
}

impl ViewAge {
    /// No older than the fence.
    pub fn is_fresh(&self) -> bool {
        self.fresh_at_drain || self.refreshed_later
    }
}

/// Compare each view with what its definition gives, in the snapshot that the client is in, but for columns that hold the moment
/// of the refresh. A definition whose result changes by itself otherwise (`random()`) shows as stale, as does one that fails.
pub(super) async fn at_drain(client: &Client) -> Result<Vec<ViewAge>> {
    let rows = client
        .query(
            "SELECT format('%I.%I', n.nspname, c.relname), rtrim(pg_get_viewdef(c.oid), '; '), c.relfilenode::int8, ARRAY(
                        SELECT quote_ident(a.attname) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 ORDER BY a.attnum)
             FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'm' AND c.relispopulated ORDER BY 1",
            &[],
        )
        .await
        .context("list materialized views")?;
    let mut views = Vec::new();
    for row in rows {
        let (name, definition, file): (String, String, i64) = (row.get(0), row.get(1), row.get(2));
        client.batch_execute("SAVEPOINT before_the_definition").await.context("set a savepoint")?;
        let fresh = is_as_defined(client, &name, &definition, row.get(3)).await;
        client.batch_execute("ROLLBACK TO before_the_definition").await.context("go back to the savepoint")?;
        views.push(ViewAge { name, fresh_at_drain: fresh.unwrap_or(false), refreshed_later: false, file });
    }
    Ok(views)
}

async fn is_as_defined(client: &Client, name: &str, definition: &str, columns: Vec<String>) -> Result<bool> {
    let is_moment = |column: &String| {
        format!("coalesce(bool_and(to_jsonb(d.{column}) IN (to_jsonb(now()), to_jsonb(now()::timestamp))), false)")
    };
    let moments = columns.iter().map(is_moment).collect::<Vec<_>>().join(", ");
    let moments = client.query_one(&format!("SELECT ARRAY[{moments}] FROM ({definition}) d"), &[]).await?;
    let moments: Vec<bool> = moments.get(0);
    let lasting = columns.iter().zip(moments).filter(|(_, is_moment)| !is_moment).map(|(column, _)| column.as_str());
    let lasting = lasting.collect::<Vec<_>>().join(", ");
    let of = |rows: &str| format!("(SELECT {lasting} FROM {rows}) AS row_of_the_table");
    Ok(sums(client, &of(name)).await? == sums(client, &of(&format!("({definition}) d"))).await?)
}

/// Look again: a view that was filled anew has a new file.
pub(super) async fn look_again(client: &Client, views: &mut [ViewAge]) -> Result<()> {
    for view in views {
        let row = client
            .query_opt("SELECT relfilenode::int8 FROM pg_class WHERE oid = to_regclass($1)", &[&view.name])
            .await
            .with_context(|| format!("look at {}", view.name))?;
        view.refreshed_later = row.is_some_and(|row| row.get::<_, i64>(0) != view.file);
    }
    Ok(())
}

async fn sums(client: &Client, from: &str) -> Result<(i64, String, String)> {
    let row = client.query_one(&sums_of(from), &[]).await.with_context(|| format!("sum up {from}"))?;
    Ok((row.get(0), row.get(1), row.get(2)))
}
