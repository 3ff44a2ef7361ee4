//! DMS with commands, as posts and the user guide describe it: copy, follow, set the sequences, change the record. Nothing keeps
//! the clients from writing to the source meanwhile; at the end their sessions there are ended, as a restart of the applications
//! would.

mod replication;
mod target;

use std::time::Duration;

use anyhow::{Context, Result};
use tokio_postgres::Client;

use super::by_hand::{COPY, Hands, poll};
use super::scene::Scene;
use super::{sequences, tables};
use crate::screen::Screen;
use crate::stage::SOURCE;
use replication::Replication;
use target::Set;

/// The clients' resolver keeps an answer for the TTL.
const MOVE: Duration = Duration::from_secs(2);
/// Nothing tells when the last change is applied but a metric; a person waits a little.
const SETTLE: Duration = Duration::from_secs(5);

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
    let set_aside = target::set_aside(&target).await?;
    screen.doing("copying with DMS");
    let replication = Replication::start(scene, &target).await?;
    replication.await_loaded().await?;
    await_recent(&source, &target).await?;
    hands.lower_ttl().await?;
    screen.doing("switching");
    switch(&hands, scene, &source, &target).await?;
    replication.stop().await?;
    finish(&target, &set_aside, screen).await;
    replication.delete().await?;
    Ok(Some(COPY.to_owned()))
}

/// Until the target has what the source had committed when the wait began.
async fn await_recent(source: &Client, target: &Client) -> Result<()> {
    let newest = "SELECT max(mtime)::text FROM public.pgbench_history";
    let wanted: Option<String> = source.query_one(newest, &[]).await.context("read the newest row")?.get(0);
    let has = "SELECT coalesce(max(mtime) >= $1::text::timestamp, false) FROM public.pgbench_history";
    poll("the target to catch up", async || {
        Ok(target.query_one(has, &[&wanted]).await.context("read the copy's newest row")?.get(0))
    })
    .await
}

async fn switch(hands: &Hands<'_>, scene: &Scene, source: &Client, target: &Client) -> Result<()> {
    sequences::set_ahead(source, target).await?;
    let change = hands.change_record(&scene.host_of(COPY).await?).await?;
    hands.await_in_sync(&change).await?;
    tokio::time::sleep(MOVE).await;
    tables::end_clients(source).await?;
    tokio::time::sleep(SETTLE).await;
    Ok(())
}

/// The clients work on the target already, so what cannot be put back is a matter for later.
async fn finish(target: &Client, set_aside: &[Set], screen: &Screen) {
    for Set { put_back, .. } in set_aside {
        if let Err(error) = target.batch_execute(put_back).await {
            screen.say(format!("not put back: {put_back}: {error}"));
        }
    }
}
