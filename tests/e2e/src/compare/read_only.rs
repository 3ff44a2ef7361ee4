//! Native replication and a switch to read-only, by the steps that pg_easy_replicate publishes: a publication of all tables, a
//! subscription that copies them, then the source's users read-only, the lag gone, owned sequences set by the largest value.
//! The switch of the clients is left to the user; here the record changes at that moment.

use std::time::Duration;

use anyhow::{Context, Result};
use tokio_postgres::Client;

use super::by_hand::{COPY, Hands, poll};
use super::scene::Scene;
use super::{sequences, tables};
use crate::screen::Screen;
use crate::stage::{DATABASE, SOURCE, Source, master_login};

const STREAM: &str = "switch";
/// The lag at which pg_easy_replicate begins to switch, in bytes.
const NEAR: i64 = 200_000;
/// Clients ask the resolver again, and come.
const MOVE: Duration = Duration::from_secs(3);

/// Prepare, copy, switch, clean up.
pub(super) async fn drive(scene: &Scene, screen: &Screen) -> Result<Option<String>> {
    let hands = Hands::of(scene);
    hands.enable_logical_replication().await?;
    let source = hands.connect(SOURCE).await?;
    tables::log_whole_rows(&source).await?;
    screen.doing("restoring and upgrading a copy");
    hands.copy_source().await?;
    hands.upgrade(COPY).await?;
    let target = hands.connect(COPY).await?;
    tables::empty(&target).await?;
    screen.doing("copying the tables");
    replicate(scene, &source, &target).await?;
    hands.lower_ttl().await?;
    target.batch_execute("VACUUM ANALYZE").await.context("analyze the target")?;
    screen.doing("switching");
    switch(&hands, scene, &source, &target).await?;
    clean_up(&source, &target).await?;
    Ok(Some(COPY.to_owned()))
}

/// The target's schema is that of the upgraded snapshot, whose rows are gone: the subscription copies them anew.
async fn replicate(scene: &Scene, source: &Client, target: &Client) -> Result<()> {
    let published: String = source.query_one(tables::TABLES, &[]).await.context("list the tables")?.get(0);
    let create = format!("CREATE PUBLICATION {STREAM} FOR TABLE {published} WITH (publish_via_partition_root = true)");
    source.batch_execute(&create).await.context("create the publication")?;
    let authorities: String = target.query_one("SELECT current_setting('ssl_ca_file')", &[]).await?.get(0);
    let conninfo = conninfo(&scene.source, &authorities);
    let create = format!(
        "CREATE SUBSCRIPTION {STREAM} CONNECTION '{conninfo}' PUBLICATION {STREAM} WITH (copy_data = true, run_as_owner = true)"
    );
    target.batch_execute(&create).await.context("create the subscription")?;
    let waiting = "SELECT count(*) = 0 FROM pg_subscription_rel WHERE srsubstate <> 'r'";
    poll("the copy of the tables", async || Ok(target.query_one(waiting, &[]).await?.get(0))).await
}

fn conninfo(source: &Source, authorities: &str) -> String {
    let (login, Source { host, port, .. }) = (master_login(), source);
    format!(
        "host={host} port={port} dbname={DATABASE} user={} password={} sslmode=verify-full sslrootcert={authorities}",
        login.user, login.password
    )
}

async fn switch(hands: &Hands<'_>, scene: &Scene, source: &Client, target: &Client) -> Result<()> {
    await_lag(source, NEAR).await?;
    // pg_easy_replicate makes one user read-only; here it is every user of the clients.
    let read_only = tables::USERS.map(|user| format!("ALTER ROLE {user} SET default_transaction_read_only = on"));
    tables::run_each(source, read_only.into_iter()).await?;
    tables::end_clients(source).await?;
    await_lag(source, 0).await?;
    sequences::refresh_owned(target).await?;
    let change = hands.change_record(&scene.host_of(COPY).await?).await?;
    hands.await_in_sync(&change).await?;
    tokio::time::sleep(MOVE).await;
    Ok(())
}

/// Until the target has applied all but so many bytes of what the source has written until now.
async fn await_lag(source: &Client, bytes: i64) -> Result<()> {
    let written: String = source.query_one("SELECT pg_current_wal_lsn()::text", &[]).await?.get(0);
    let applied = "SELECT coalesce(min(pg_wal_lsn_diff($1::text::pg_lsn, replay_lsn)) <= $2::bigint, false)
                   FROM pg_stat_replication WHERE application_name = $3::text";
    poll("the target to catch up", async || {
        Ok(source.query_one(applied, &[&written, &bytes, &STREAM]).await.context("read the lag")?.get(0))
    })
    .await
}

async fn clean_up(source: &Client, target: &Client) -> Result<()> {
    target.batch_execute(&format!("DROP SUBSCRIPTION {STREAM}")).await.context("drop the subscription")?;
    // The operator's own session was opened before the role became read-only.
    source.batch_execute(&format!("DROP PUBLICATION {STREAM}")).await.context("drop the publication")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_verifies_the_source_by_its_name() {
        let source = Source { host: "db.example".to_owned(), port: 5433, version: "15.18".to_owned() };

        let text = conninfo(&source, "/ca.pem");

        assert!(text.starts_with("host=db.example port=5433 dbname=shop user=shop_admin"), "{text}");
        assert!(text.ends_with("sslmode=verify-full sslrootcert=/ca.pem"), "{text}");
    }
}
