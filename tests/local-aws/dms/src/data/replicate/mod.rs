//! The changes of a task, beside and after its load.
//!
//! One loop owns the stream. Each selected table is in one mode: before and during its load, and until it has caught
//! up, its changes go to its own cache; after that it is live and its changes are applied with those of all other
//! live tables, in order of commit. The checkpoint is the position through which every live table is applied; a
//! table that is not live when the task ends is loaded again by the next start, so nothing else need be kept.

mod changes;
mod loads;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;

use super::apply::Applier;
use super::cached_changes::CachedChanges;
use super::columns::Table;
use super::control_tables::{ControlTables, StatusLine};
use super::failure::Failure;
use super::load::{Begun, LoadContext, LoadFailure};
use super::lsn::Lsn;
use super::statistics::{Progress, TableName, TableState};
use super::stream::{ChangeStream, StreamItem, TableId};
use super::task::{Broken, Ending, Halt, StopPosition, StopReason};

/// How often the control tables are written.
const STATUS_INTERVAL: Duration = Duration::from_secs(1);

/// Where a table's changes go.
enum Mode {
    /// Nowhere: it is not to be loaded and not live, or it is suspended.
    Dropped,
    /// To its cache: it waits for its load, is being loaded, or catches up.
    Cached(Box<Catching>),
    /// Straight to the target.
    Live,
}

/// A table on its way to being live.
#[derive(Default)]
pub(crate) struct Catching {
    cache: CachedChanges,
    begun: Option<Begun>,
    is_loaded: bool,
}

/// Tables that were loaded and had not caught up when the task was stopped in good order.
pub(crate) type Parked = HashMap<TableName, Box<Catching>>;

/// What a load tells the loop.
enum LoadEvent {
    Begun(TableId, Begun),
    Ended(TableId, Result<(), LoadFailure>),
}

/// Everything that the loop owns.
pub(crate) struct Replication {
    pub(crate) tables: Arc<Vec<Table>>,
    pub(crate) load: Arc<LoadContext>,
    pub(crate) stream: Option<ChangeStream>,
    pub(crate) applier: Applier,
    pub(crate) control: ControlTables,
    pub(crate) progress: Arc<Progress>,
    pub(crate) halt: watch::Receiver<Halt>,
    pub(crate) reloads: mpsc::UnboundedReceiver<TableName>,
    pub(crate) stop_position: Option<StopPosition>,
}

struct Loop<'a> {
    owned: &'a mut Replication,
    modes: Vec<Mode>,
    by_name: HashMap<TableName, TableId>,
    loads: JoinSet<()>,
    permits: Arc<Semaphore>,
    events: mpsc::UnboundedReceiver<LoadEvent>,
    sender: mpsc::UnboundedSender<LoadEvent>,
    /// Tables whose load has not ended.
    loading: usize,
    /// Everything before is routed.
    position: Lsn,
    status_due: Instant,
    history_due: Instant,
    records: u64,
    /// Transactions routed lately: a load that begins now must see them.
    routed: VecDeque<u32>,
}

impl Replication {
    /// Run until something ends the task. Loads the tables that are not live; `parked` are loaded already.
    pub(crate) async fn run(&mut self, mut parked: Parked) -> Result<(Ending, Parked), Broken> {
        let (sender, events) = mpsc::unbounded_channel();
        let names: Vec<TableName> =
            self.tables.iter().map(|table| (table.schema.clone(), table.name.clone())).collect();
        let position = self.progress.lock().checkpoint.unwrap_or_default();
        let permits = Arc::new(Semaphore::new(self.load.settings.full_load_settings.max_full_load_sub_tasks));
        let mut state = Loop {
            modes: Vec::with_capacity(names.len()),
            by_name: names.iter().cloned().zip(0..).collect(),
            loads: JoinSet::new(),
            permits,
            events,
            sender,
            loading: 0,
            position,
            status_due: Instant::now(),
            history_due: Instant::now(),
            records: 0,
            routed: VecDeque::new(),
            owned: self,
        };
        for (table, name) in names.iter().enumerate() {
            let mode = state.first_mode(name, &mut parked);
            let waits = matches!(&mode, Mode::Cached(catching) if !catching.is_loaded);
            state.modes.push(mode);
            if waits {
                state.start_load(table);
            }
        }
        let outcome = state.drive().await;
        state.loads.shutdown().await;
        let ending = outcome?;
        let parked = state.park();
        Ok((ending, parked))
    }
}

impl Loop<'_> {
    fn first_mode(&self, name: &TableName, parked: &mut Parked) -> Mode {
        let mut progress = self.owned.progress.lock();
        let table = progress.table(name);
        match (table.state, table.is_live) {
            (TableState::Error, _) => Mode::Dropped,
            (_, true) => Mode::Live,
            _ => Mode::Cached(parked.remove(name).unwrap_or_default()),
        }
    }

    async fn drive(&mut self) -> Result<Ending, Broken> {
        loop {
            if let Some(ending) = self.settle().await? {
                return Ok(ending);
            }
            let caches_wait = self.catching().any(|table| table.is_loaded && !table.cache.is_empty());
            let stops_at = self.owned.stop_position.and_then(StopPosition::server_time);
            let timer = stops_at.map_or(STATUS_INTERVAL, |at| {
                Duration::from_secs_f64((at - now()).clamp(0.0, STATUS_INTERVAL.as_secs_f64()))
            });
            let stream = self.owned.stream.as_mut();
            tokio::select! {
                biased;
                changed = self.owned.halt.changed() => {
                    let halt = if changed.is_ok() { self.owned.halt.borrow().clone() } else { Halt::Stop };
                    match halt {
                        Halt::Run => {}
                        Halt::Stop => return Ok(Ending::Stopped(StopReason::Normal)),
                        Halt::Interrupt => return Ok(self.interrupted()),
                    }
                }
                Some(event) = self.events.recv() => self.take_load_event(event).await?,
                Some(name) = self.owned.reloads.recv() => self.reload(&name),
                item = next(stream) => {
                    if let Some(ending) = self.take_changes(item?).await? {
                        return Ok(ending);
                    }
                }
                () = std::future::ready(()), if caches_wait => {}
                () = tokio::time::sleep(timer) => {}
            }
            if stops_at.is_some_and(|at| now() >= at) {
                return Ok(Ending::Stopped(StopReason::AtServerTime));
            }
            if caches_wait {
                self.apply_caches().await?;
            }
            self.write_status().await?;
        }
    }

    /// What follows from where the tables stand; perhaps the end.
    async fn settle(&mut self) -> Result<Option<Ending>, Broken> {
        for table in 0..self.modes.len() {
            let Mode::Cached(catching) = &self.modes[table] else { continue };
            let seen = catching.begun.as_ref().map_or(Lsn::default(), |begun| begun.seen_through);
            let has_stream = self.owned.stream.is_some();
            if catching.is_loaded && catching.cache.is_empty() && (!has_stream || self.position >= seen) {
                self.modes[table] = Mode::Live;
                let name = self.name(table);
                self.owned.progress.lock().table(&name).is_live = true;
            }
        }
        let has_stream = self.owned.stream.is_some();
        if self.loading > 0 || (has_stream && self.owned.progress.lock().load_is_over) {
            return Ok(None);
        }
        let load = &self.owned.load.settings.full_load_settings;
        let all_live = self.catching().next().is_none();
        let stops_before_cached = load.stop_task_cached_changes_not_applied && has_stream;
        {
            let mut progress = self.owned.progress.lock();
            if progress.full_load_started.is_some() && progress.full_load_ended.is_none() {
                progress.full_load_ended = Some(now());
            }
            progress.load_is_over = all_live || stops_before_cached;
        }
        if !has_stream {
            return Ok(all_live.then_some(Ending::Stopped(StopReason::FullLoadOnlyFinished)));
        }
        if stops_before_cached {
            return Ok(Some(Ending::Stopped(StopReason::AfterFullLoad)));
        }
        Ok((all_live && load.stop_task_cached_changes_applied)
            .then_some(Ending::Stopped(StopReason::AfterCachedEvents)))
    }

    async fn write_status(&mut self) -> Result<(), Broken> {
        if Instant::now() < self.status_due || self.owned.stream.is_none() {
            return Ok(());
        }
        self.status_due = Instant::now() + STATUS_INTERVAL;
        let line = {
            let progress = self.owned.progress.lock();
            StatusLine {
                status: if progress.load_is_over { "CHANGE PROCESSING" } else { "FULL LOAD" },
                pending_changes: 0,
                source_position: self.position.to_string(),
                applied_commit_time: progress.applied_commit_time,
            }
        };
        let minutes = self.owned.load.settings.control_tables_settings.history_timeslot_in_minutes;
        let mut statements: Vec<_> = self.owned.control.status(&line).into_iter().collect();
        if Instant::now() >= self.history_due {
            self.history_due = Instant::now() + Duration::from_secs(minutes.max(1) * 60);
            let latency = line.applied_commit_time.map_or(0, |at| (now() - at).max(0.0) as u64);
            statements.extend(self.owned.control.history(minutes, latency, std::mem::take(&mut self.records)));
        }
        for statement in statements {
            self.owned.applier.target.batch_execute(&statement).await.map_err(Failure::from)?;
        }
        Ok(())
    }

    fn catching(&self) -> impl Iterator<Item = &Catching> {
        self.modes.iter().filter_map(|mode| match mode {
            Mode::Cached(catching) => Some(&**catching),
            _ => None,
        })
    }

    fn name(&self, table: TableId) -> TableName {
        let table = &self.owned.tables[table];
        (table.schema.clone(), table.name.clone())
    }
}

async fn next(stream: Option<&mut ChangeStream>) -> Result<StreamItem, Broken> {
    match stream {
        Some(stream) => stream.next().await.map_err(Broken::from),
        None => std::future::pending().await,
    }
}

fn now() -> f64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0.0, |since| since.as_secs_f64())
}
