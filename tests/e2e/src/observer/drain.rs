//! Waits for the drain point and compares both sides there.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinHandle;
use tokio_postgres::Client;

use super::afresh::{self, Beside};
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
/// Longest hold of the call that opens the target: then it goes on, and both sides are compared at the end of the run.
const PATIENCE: Duration = Duration::from_secs(3);
/// A server that crashed is back after this time, or the comparison is given up.
const LONGEST_RESTART: Duration = Duration::from_secs(60);

impl DrainWatch {
    /// Begin, before the clients do. `major` is the target's wanted one: before the upgrade the copy is left alone.
    /// The first of `calls` is the call that opens the target, which waits for as long as the value lives.
    pub async fn start<Call: Send + 'static>(
        source: Access,
        target: Access,
        major: u16,
        calls: UnboundedReceiver<Call>,
    ) -> Result<Self> {
        let came = Arc::new(AtomicBool::new(false));
        let sides = Arc::new(Beside::begin(source, target, major).await?);
        let task = tokio::spawn(watch(Arc::clone(&sides), calls, Arc::clone(&came)));
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
        self.sides.compare_afresh("the observer missed the drain point").await
    }
}

impl Drop for DrainWatch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Only the first call is observed: a second one may be the repetition of one that opened the target already.
async fn watch<Call>(
    sides: Arc<Beside>,
    mut calls: UnboundedReceiver<Call>,
    came: Arc<AtomicBool>,
) -> Result<Option<DrainPoint>> {
    let mut sessions = None;
    let call = loop {
        tokio::select! {
            call = calls.recv() => break call,
            opened = Sessions::open_when_upgraded(&sides), if sessions.is_none() => sessions = Some(opened),
        }
    };
    let Some(call) = call else { return Ok(None) };
    let observed = tokio::time::timeout(PATIENCE, observe(&sides, sessions)).await;
    drop(call);
    let drained = match observed {
        Ok(Ok(drained)) => drained,
        Ok(Err(error)) => return missed(&format!("{error:#}")),
        Err(_) => return missed("the observation took too long"),
    };
    came.store(true, Ordering::Release);
    match compare(drained).await {
        Ok(point) => Ok(Some(point)),
        Err(error) => {
            tracing::warn!(error = format!("{error:#}"), "the comparison at the drain point failed");
            compare_once_both_are_back(&sides).await
        }
    }
}

fn missed(why: &str) -> Result<Option<DrainPoint>> {
    tracing::warn!(why, "the observer missed the drain point");
    Ok(None)
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

/// Connections that are opened ahead of time, so that the call is held for milliseconds.
struct Sessions {
    source: Client,
    /// A session of its own, made ready to read the source's catalogs.
    catalogs: Client,
    target: Client,
}

impl Sessions {
    async fn open_when_upgraded(sides: &Beside) -> Self {
        loop {
            match Self::open(sides).await {
                Ok(sessions) => return sessions,
                Err(error) => tracing::debug!(
                    error = format!("{error:#}"),
                    "the observer cannot connect to both sides yet, and retries"
                ),
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    async fn open(sides: &Beside) -> Result<Self> {
        let target = ready(&sides.target).await?;
        ensure!(afresh::major_of(&target).await? == sides.major, "the target is not upgraded yet");
        Ok(Self { source: ready(&sides.source).await?, catalogs: ready_for_catalogs(&sides.source).await?, target })
    }

    fn are_alive(&self) -> bool {
        ![&self.source, &self.catalogs, &self.target].iter().any(|client| client.is_closed())
    }
}

/// Both sides, each in a transaction with a snapshot of the drain point.
struct Sides {
    sessions: Sessions,
    sequences: Vec<SequenceComparison>,
    at: f64,
    held_milliseconds: f64,
}

/// Open the snapshots. A late call, of a run that went back, finds a side that somebody may write to.
async fn observe(sides: &Beside, sessions: Option<Sessions>) -> Result<Sides> {
    let began = now();
    let sessions = match sessions.filter(Sessions::are_alive) {
        Some(sessions) => sessions,
        None => Sessions::open_when_upgraded(sides).await,
    };
    let Sessions { source, catalogs, target } = &sessions;
    tokio::try_join!(snapshot(source), snapshot(target), snapshot(catalogs))?;
    let shut = tokio::try_join!(afresh::is_shut(source), afresh::is_shut(target))?;
    ensure!(shut == (true, true), "source and target are not both shut: {shut:?}");
    let (ours, theirs) = tokio::try_join!(sequences::read(source), sequences::read(target))?;
    let sequences = sequences::compare(&ours, &theirs);
    let at = now();
    Ok(Sides { sessions, sequences, at, held_milliseconds: (at - began) * 1000.0 })
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
    let Sides { sessions: Sessions { source, catalogs, target }, sequences, at, held_milliseconds } = sides;
    let catalog = Some(catalog::read_prepared(&catalogs).await?);
    let tables = rows::compare(&source, &target, &BTreeSet::new()).await?;
    let views = views::at_drain(&target).await?;
    let comparison = AT_DRAIN_POINT.to_owned();
    Ok(DrainPoint { at, held_milliseconds, tables, sequences, views, catalog, comparison, uncompared: Vec::new() })
}
