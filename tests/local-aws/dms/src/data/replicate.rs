//! The changes of a task, beside and after its load.
//!
//! One loop owns the stream. Each selected table is in one mode: before and during its load, and until it has caught
//! up, its changes go to its own cache; after that it is live and its changes are applied with those of all other
//! live tables, in order of commit. The checkpoint is the position through which every live table is applied; a
//! table that is not live when the task ends is loaded again by the next start, so nothing else need be kept.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;

use super::apply::{Applier, ApplyFailure, Item, Tolerance, Unit, suspend};
use super::cached_changes::{CachedChange, CachedChanges};
use super::columns::{Identity, Table};
use super::control_tables::{ControlTables, StatusLine};
use super::failure::Failure;
use super::load::{Begun, LoadContext, LoadFailure, load_table};
use super::lsn::Lsn;
use super::settings::ErrorPolicy;
use super::statements::{Plan, plan};
use super::statistics::{Progress, TableName, TableState};
use super::stream::{ChangeStream, StreamItem, TableId, Transaction};
use super::task::{Broken, Ending, Halt, StopPosition, StopReason};
use super::test_decoding::parse_row;

/// Cached changes applied in one target transaction.
const CACHED_BATCH: usize = 1000;
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

    fn start_load(&mut self, table: TableId) {
        let name = self.name(table);
        {
            let mut progress = self.owned.progress.lock();
            let entry = progress.table(&name);
            entry.full_load_rows = 0;
            entry.full_load_ended = None;
            if entry.state != TableState::Reloading {
                entry.state = TableState::BeforeLoad;
            }
        }
        self.loading += 1;
        let (load, tables, permits) =
            (Arc::clone(&self.owned.load), Arc::clone(&self.owned.tables), Arc::clone(&self.permits));
        let sender = self.sender.clone();
        self.loads.spawn(async move {
            let Ok(_permit) = permits.acquire().await else { return };
            {
                let mut progress = load.progress.lock();
                let entry = progress.table(&name);
                if entry.state == TableState::BeforeLoad {
                    entry.state = TableState::FullLoad;
                }
                entry.full_load_started = Some(now());
            }
            let begun_sender = sender.clone();
            let begun = move |begun| {
                let _loop_ended = begun_sender.send(LoadEvent::Begun(table, begun));
            };
            let outcome = load_table(&load, &tables[table], begun).await;
            let _loop_ended = sender.send(LoadEvent::Ended(table, outcome));
        });
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
        if self.loading > 0 || self.owned.progress.lock().load_is_over {
            return Ok(None);
        }
        let load = &self.owned.load.settings.full_load_settings;
        let all_live = self.catching().next().is_none();
        let stops_before_cached = load.stop_task_cached_changes_not_applied && self.owned.stream.is_some();
        {
            let mut progress = self.owned.progress.lock();
            if progress.full_load_started.is_some() && progress.full_load_ended.is_none() {
                progress.full_load_ended = Some(now());
            }
            progress.load_is_over = all_live || stops_before_cached;
        }
        if self.owned.stream.is_none() {
            return Ok(all_live.then_some(Ending::Stopped(StopReason::FullLoadOnlyFinished)));
        }
        if stops_before_cached {
            return Ok(Some(Ending::Stopped(StopReason::AfterFullLoad)));
        }
        Ok((all_live && load.stop_task_cached_changes_applied)
            .then_some(Ending::Stopped(StopReason::AfterCachedEvents)))
    }

    async fn take_load_event(&mut self, event: LoadEvent) -> Result<(), Broken> {
        match event {
            LoadEvent::Begun(table, begun) => {
                if let Mode::Cached(catching) = &mut self.modes[table] {
                    catching.begun = Some(begun);
                }
                Ok(())
            }
            LoadEvent::Ended(table, outcome) => {
                self.loading -= 1;
                match outcome {
                    Ok(()) => {
                        self.load_ended(table);
                        Ok(())
                    }
                    Err(LoadFailure::Table(reason)) => self.table_failed(table, &reason).await,
                    Err(LoadFailure::Fatal(text)) => Err(Broken::Fatal(text)),
                    Err(LoadFailure::Lost(failure)) => Err(Broken::Lost(failure)),
                }
            }
        }
    }

    fn load_ended(&mut self, table: TableId) {
        if let Mode::Cached(catching) = &mut self.modes[table] {
            catching.is_loaded = true;
        }
        let name = self.name(table);
        let mut progress = self.owned.progress.lock();
        let entry = progress.table(&name);
        entry.state = TableState::Completed;
        entry.full_load_ended = Some(now());
        entry.updated = now();
    }

    async fn table_failed(&mut self, table: TableId, reason: &str) -> Result<(), Broken> {
        let name = self.name(table);
        tracing::info!(table = %format!("{}.{}", name.0, name.1), reason, "the load of a table failed");
        self.modes[table] = Mode::Dropped;
        suspend(&self.owned.progress, &name, reason);
        let target = &self.owned.applier.target;
        for statement in [self.owned.control.load_exception(&name, reason), self.owned.control.suspended(&name)] {
            if let Some(statement) = statement {
                target.batch_execute(&statement).await.map_err(Failure::from)?;
            }
        }
        if self.owned.load.settings.error_behavior.table_error_policy == ErrorPolicy::StopTask {
            return Err(Broken::Fatal(reason.to_owned()));
        }
        Ok(())
    }

    fn reload(&mut self, name: &TableName) {
        let Some(table) = self.by_name.get(name).copied() else { return };
        if matches!(&self.modes[table], Mode::Cached(catching) if !catching.is_loaded) {
            return;
        }
        self.modes[table] = Mode::Cached(Box::default());
        {
            let mut progress = self.owned.progress.lock();
            let entry = progress.table(name);
            entry.is_live = false;
            entry.reloaded = true;
            entry.error = None;
            entry.state = TableState::Reloading;
        }
        self.start_load(table);
    }

    /// Take what the stream has at hand, at most one target transaction's worth.
    async fn take_changes(&mut self, first: StreamItem) -> Result<Option<Ending>, Broken> {
        let tuning = &self.owned.load.settings.change_processing_tuning;
        let limit = Duration::from_secs(tuning.commit_timeout.max(1));
        let size = tuning.min_transaction_size.max(1);
        let began = Instant::now();
        let mut units = Vec::new();
        let mut gathered = 0;
        let mut ending = None;
        let mut item = Some(Ok(first));
        while let Some(next) = item {
            match next? {
                StreamItem::Reached(position) => self.position = self.position.max(position),
                StreamItem::Transaction(transaction) => {
                    if self.is_past_the_end(&transaction) {
                        ending = Some(Ending::Stopped(StopReason::AtCommitTime));
                        break;
                    }
                    gathered += transaction.changes.len().max(1);
                    self.position = self.position.max(transaction.end);
                    units.push(self.route(transaction)?);
                }
            }
            let full = gathered >= size || began.elapsed() >= limit;
            item = if full { None } else { self.owned.stream.as_mut().and_then(ChangeStream::next_at_hand) };
        }
        if let Some(last) = units.iter().rev().find_map(|unit| unit.position) {
            self.records += gathered as u64;
            self.owned.applier.apply(&units, Tolerance::Strict).await.map_err(broken)?;
            self.drop_suspended();
            self.owned.progress.lock().checkpoint = Some(last);
            if let Some(stream) = &self.owned.stream {
                stream.confirm(last);
            }
        }
        Ok(ending)
    }

    fn is_past_the_end(&self, transaction: &Transaction) -> bool {
        let limit = self.owned.stop_position.and_then(StopPosition::commit_time);
        matches!((limit, transaction.committed_at), (Some(limit), Some(at)) if at > limit)
    }

    /// Sort a transaction's changes: live ones into a unit, the others into caches.
    fn route(&mut self, transaction: Transaction) -> Result<Unit, Broken> {
        let tables = Arc::clone(&self.owned.tables);
        let mut items = Vec::new();
        for change in transaction.changes {
            let table = &tables[change.table];
            match &mut self.modes[change.table] {
                Mode::Dropped => {}
                Mode::Live => {
                    let row =
                        parse_row(change.operation, &change.row).map_err(|error| Broken::Fatal(error.to_string()))?;
                    let item = Item { table: change.table, operation: change.operation, row };
                    if counts_as_captured(table, &item) {
                        capture(&self.owned.progress, table, &item);
                    }
                    items.push(item);
                }
                Mode::Cached(catching) => {
                    let cached = CachedChange {
                        xid: transaction.xid,
                        operation: change.operation,
                        is_counted: false,
                        row: change.row,
                    };
                    if catching.begun.as_ref().is_some_and(|begun| is_loaded_already(table, begun, cached.xid)) {
                        continue;
                    }
                    catching.cache.push(cached).map_err(|error| Broken::Fatal(format!("cache changes: {error}")))?;
                }
            }
        }
        Ok(Unit { position: Some(transaction.end), committed_at: transaction.committed_at, items })
    }

    /// One batch for each table whose load is over.
    async fn apply_caches(&mut self) -> Result<(), Broken> {
        let tables = Arc::clone(&self.owned.tables);
        for id in 0..self.modes.len() {
            let Mode::Cached(catching) = &mut self.modes[id] else { continue };
            if !catching.is_loaded {
                continue;
            }
            let taken =
                catching.cache.take(CACHED_BATCH).map_err(|error| Broken::Fatal(format!("cache changes: {error}")))?;
            let mut items = Vec::with_capacity(taken.len());
            for change in taken {
                if catching.begun.as_ref().is_some_and(|begun| is_loaded_already(&tables[id], begun, change.xid)) {
                    continue;
                }
                let row = parse_row(change.operation, &change.row).map_err(|error| Broken::Fatal(error.to_string()))?;
                let item = Item { table: id, operation: change.operation, row };
                if counts_as_captured(&tables[id], &item) {
                    capture(&self.owned.progress, &tables[id], &item);
                }
                items.push(item);
            }
            self.records += items.len() as u64;
            let unit = Unit { position: None, committed_at: None, items };
            self.owned.applier.apply(&[unit], Tolerance::Overlap).await.map_err(broken)?;
        }
        self.drop_suspended();
        Ok(())
    }

    /// Tables that an error policy suspended take no more changes.
    fn drop_suspended(&mut self) {
        for table in 0..self.modes.len() {
            let name = self.name(table);
            if self.owned.progress.lock().table(&name).state == TableState::Error {
                self.modes[table] = Mode::Dropped;
            }
        }
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

    /// The instance goes down under the task. Changes resume by themselves; tables in load end in error.
    fn interrupted(&mut self) -> Ending {
        let mut progress = self.owned.progress.lock();
        if !progress.load_is_over {
            for table in progress.tables.values_mut() {
                if matches!(table.state, TableState::BeforeLoad | TableState::FullLoad | TableState::Reloading) {
                    table.state = TableState::Error;
                    table.error = Some("the replication instance was restarted during the load".to_owned());
                }
            }
        }
        Ending::Interrupted
    }

    /// Tables that are loaded and have not caught up, for the next start.
    fn park(&mut self) -> Parked {
        let mut parked = Parked::new();
        for table in 0..self.modes.len() {
            let name = self.name(table);
            match std::mem::replace(&mut self.modes[table], Mode::Dropped) {
                Mode::Cached(catching) if catching.is_loaded => {
                    parked.insert(name, catching);
                }
                Mode::Cached(_) => {
                    let mut progress = self.owned.progress.lock();
                    let entry = progress.table(&name);
                    if entry.state != TableState::Error {
                        entry.state = TableState::BeforeLoad;
                    }
                }
                Mode::Dropped | Mode::Live => {}
            }
        }
        parked
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

/// Whether the loaded rows hold a change already. With a key, a change that may be in them is applied again and
/// finds the row as it should be; without one it would make a second row, so exactly what the snapshot saw is left out.
fn is_loaded_already(table: &Table, begun: &Begun, xid: u32) -> bool {
    if has_key(table) { begun.snapshot.surely_saw(xid) } else { begun.snapshot.saw(xid) }
}

fn has_key(table: &Table) -> bool {
    table.lob_key.is_some() || matches!(table.identity, Identity::Key(_))
}

/// Changes that DMS ignores are no captured changes.
fn counts_as_captured(table: &Table, item: &Item) -> bool {
    !matches!(plan(table, item.operation, &item.row), Plan::Ignored)
}

fn capture(progress: &Progress, table: &Table, item: &Item) {
    let name = (table.schema.clone(), table.name.clone());
    let mut progress = progress.lock();
    let entry = progress.table(&name);
    entry.captured.count(item.operation);
    entry.updated = now();
}

async fn next(stream: Option<&mut ChangeStream>) -> Result<StreamItem, Broken> {
    match stream {
        Some(stream) => stream.next().await.map_err(Broken::from),
        None => std::future::pending().await,
    }
}

fn broken(failure: ApplyFailure) -> Broken {
    match failure {
        ApplyFailure::Lost(failure) => Broken::from(failure),
        ApplyFailure::Stop(text) => Broken::Fatal(text),
    }
}

fn now() -> f64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0.0, |since| since.as_secs_f64())
}
