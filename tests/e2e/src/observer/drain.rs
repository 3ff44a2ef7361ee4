//! Waits for the drain point and compares both sides there.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use futures_util::StreamExt;
use futures_util::stream::poll_fn;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_postgres::{AsyncMessage, Client, NoTls};

use super::afresh::Beside;
use super::{ALIKE, Access, SequenceComparison, TableComparison, ViewAge, connect, rows, sequences, views};
use crate::catalog::{self, Catalog};
use crate::clients::now;

/// Both sides at the drain point.
#[derive(Debug, Clone, Default)]
pub struct DrainPoint {
    /// When both snapshots were open, in epoch seconds.
    pub at: f64,
    /// How long the run was held up, in milliseconds.
    pub held_milliseconds: f64,
    /// Every table.
    pub tables: Vec<TableComparison>,
    /// Every sequence.
    pub sequences: Vec<SequenceComparison>,
    /// Every materialized view.
    pub views: Vec<ViewAge>,
    /// The source's catalogs.
    pub catalog: Option<Catalog>,
    /// Which comparison this is, for people.
    pub comparison: String,
    /// Tables that could not be compared soundly; the clients' ledger alone speaks for them.
    pub uncompared: Vec<String>,
}

/// The comparison that a run is meant to get.
pub const AT_DRAIN_POINT: &str = "both sides at the drain point";

impl DrainPoint {
    /// Look at the materialized views again, at the end of the run.
    pub async fn look_at_views_again(&mut self, target: &Client) -> Result<()> {
        views::look_again(target, &mut self.views).await
    }
}

/// Watches for the drain point in the background.
pub struct DrainWatch {
    came: Arc<AtomicBool>,
    task: JoinHandle<Result<Option<DrainPoint>>>,
    sides: Arc<Beside>,
}

/// The target comes and goes while it is restored and upgraded.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// Taking the lock and being told are tried again after a lost connection, for as long as the run lives.
const LOCK: &str = "hashtext('pgleap observer')";
/// A server that crashed is back after this time, or the comparison is given up.
const LONGEST_RESTART: Duration = Duration::from_secs(60);

impl DrainWatch {
    /// Begin, before the clients do. `major` is the target's wanted one: before the upgrade the copy is left alone.
    pub async fn start(source: Access, target: Access, major: u16) -> Result<Self> {
        let came = Arc::new(AtomicBool::new(false));
        let sides = Arc::new(Beside::begin(source, target, major).await?);
        let task = tokio::spawn(watch(Arc::clone(&sides), Arc::clone(&came)));
        Ok(Self { came, task, sides })
    }

    /// Whether it has nothing more to do.
    pub fn is_finished(&self) -> bool {
        self.task.is_finished()
    }

    /// The drain point, or `None` if no fence is left that one could be made of. A comparison under way is awaited.
    pub async fn finish(mut self) -> Result<Option<DrainPoint>> {
        if self.came.load(Ordering::Acquire) {
            return (&mut self.task).await.context("the observer was stopped")?;
        }
        self.task.abort();
        // A crash may have kept the observer from the drain point; a source that is fenced can still be compared with.
        self.sides.compare_afresh("the observer was not there at the drain point").await
    }
}

impl Drop for DrainWatch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn watch(sides: Arc<Beside>, came: Arc<AtomicBool>) -> Result<Option<DrainPoint>> {
    let drained = loop {
        match await_drain(&sides.source, &sides.target, sides.major).await {
            Ok(drained) => break drained,
            Err(error) => tracing::debug!(error = format!("{error:#}"), "the observer looks again"),
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    };
    came.store(true, Ordering::Release);
    match compare(drained).await {
        Ok(point) => Ok(Some(point)),
        Err(error) => {
            tracing::warn!(error = format!("{error:#}"), "the comparison at the drain point was lost");
            compare_once_both_are_back(&sides).await
        }
    }
}

/// The snapshots of a server are gone with it.
async fn compare_once_both_are_back(sides: &Beside) -> Result<Option<DrainPoint>> {
    let began = Instant::now();
    loop {
        match sides.compare_afresh("a server ended with its snapshot of the drain point").await {
            Err(error) if began.elapsed() < LONGEST_RESTART => {
                tracing::debug!(error = format!("{error:#}"), "the observer compares again");
            }
            ended => return ended,
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// Both sides, each in a transaction with a snapshot of the drain point.
struct Sides {
    source: Client,
    /// A session of its own, made ready to read the source's catalogs.
    catalogs: Client,
    target: Client,
    sequences: Vec<SequenceComparison>,
    at: f64,
    held_milliseconds: f64,
}

async fn await_drain(source: &Access, target: &Access, major: u16) -> Result<Sides> {
    let config = target().context("the target is not running")?;
    let (guard, mut connection) = config.connect(NoTls).await.context("connect to the target")?;
    let (tell, mut told) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut messages = poll_fn(move |context| connection.poll_message(context));
        while let Some(Ok(message)) = messages.next().await {
            if let AsyncMessage::Notification(_) = message
                && tell.send(()).is_err()
            {
                return;
            }
        }
    });
    hold_the_lock(&guard, major).await?;
    let mut on_source = ready(source).await?;
    let mut catalogs = ready_for_catalogs(source).await?;
    let on_target = ready(target).await?;

    told.recv().await.context("the connection to the target ended")?;
    let began = now();
    if on_source.is_closed() || catalogs.is_closed() {
        on_source = ready(source).await?;
        catalogs = ready_for_catalogs(source).await?;
    }
    tokio::try_join!(snapshot(&on_source), snapshot(&on_target), snapshot(&catalogs))?;
    let (ours, theirs) = tokio::try_join!(sequences::read(&on_source), sequences::read(&on_target))?;
    let at = now();
    guard.batch_execute(&format!("SELECT pg_advisory_unlock({LOCK})")).await.context("let the run go on")?;
    let sequences = sequences::compare(&ours, &theirs);
    Ok(Sides {
        source: on_source,
        catalogs,
        target: on_target,
        sequences,
        at,
        held_milliseconds: (now() - began) * 1000.0,
    })
}

async fn hold_the_lock(guard: &Client, major: u16) -> Result<()> {
    let version: String = guard.query_one("SHOW server_version_num", &[]).await.context("ask for the version")?.get(0);
    if !version.starts_with(&major.to_string()) {
        bail!("the target is not upgraded yet: {version}");
    }
    let locked =
        guard.query_one(&format!("SELECT pg_try_advisory_lock({LOCK})"), &[]).await.context("take the lock")?;
    if !locked.get::<_, bool>(0) {
        bail!("somebody else holds the observer's lock");
    }
    guard.batch_execute("LISTEN pgleap_drained").await.context("listen")
}

pub(super) async fn ready(access: &Access) -> Result<Client> {
    let client = connect(access).await?;
    client.batch_execute(ALIKE).await.context("prepare a session")?;
    Ok(client)
}

pub(super) async fn ready_for_catalogs(access: &Access) -> Result<Client> {
    let client = connect(access).await?;
    catalog::prepare(&client).await?;
    Ok(client)
}

/// The snapshot is taken by the first query.
pub(super) async fn snapshot(client: &Client) -> Result<()> {
    client
        .batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT FROM pg_class LIMIT 1")
        .await
        .context("open a snapshot")
}

async fn compare(sides: Sides) -> Result<DrainPoint> {
    let catalog = Some(catalog::read_prepared(&sides.catalogs).await?);
    let tables = rows::compare(&sides.source, &sides.target, &BTreeSet::new()).await?;
    let views = views::at_drain(&sides.target).await?;
    let Sides { sequences, at, held_milliseconds, .. } = sides;
    let comparison = AT_DRAIN_POINT.to_owned();
    Ok(DrainPoint { at, held_milliseconds, tables, sequences, views, catalog, comparison, uncompared: Vec::new() })
}
