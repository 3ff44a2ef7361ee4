//! The changes of a task as its loop sees them: sorted by table, applied in order of commit or kept for later.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::apply::{ApplyFailure, Item, Tolerance, Unit};
use super::super::cached_changes::CachedChange;
use super::super::columns::{Identity, Table};
use super::super::load::Begun;
use super::super::statements::{Plan, plan};
use super::super::statistics::TableState;
use super::super::stream::{ChangeStream, StreamItem, Transaction};
use super::super::task::{Broken, Ending, StopPosition, StopReason};
use super::super::test_decoding::parse_row;
use super::{Loop, Mode, now};

/// Cached changes applied in one target transaction.
const CACHED_BATCH: usize = 1000;
/// Transactions that may be decoded and not yet visible: no server has as many sessions that commit at once.
const REMEMBERED: usize = 1000;

impl Loop<'_> {
    /// Take what the stream has at hand, at most one target transaction's worth.
    pub(super) async fn take_changes(&mut self, first: StreamItem) -> Result<Option<Ending>, Broken> {
        let tuning = &self.owned.load.settings.change_processing_tuning;
        let limit = Duration::from_secs(tuning.commit_timeout.max(1));
        let size = tuning.min_transaction_size.max(1);
        if let StreamItem::Transaction(Transaction { committed_at: Some(committed_at), .. }) = &first {
            self.owned.load.faults.gather(now() - committed_at).await;
        }
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
            {
                let mut progress = self.owned.progress.lock();
                progress.checkpoint = Some(last);
                progress.captured_is_applied();
            }
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
        self.routed.push_back(transaction.xid);
        if self.routed.len() > REMEMBERED {
            self.routed.pop_front();
        }
        for change in transaction.changes {
            let table = &tables[change.table];
            match &mut self.modes[change.table] {
                Mode::Dropped => {}
                Mode::Live => {
                    let row =
                        parse_row(change.operation, &change.row).map_err(|error| Broken::Fatal(error.to_string()))?;
                    let item = Item { table: change.table, operation: change.operation, row, xid: transaction.xid };
                    if counts_as_captured(table, &item) {
                        let name = (table.schema.clone(), table.name.clone());
                        let mut progress = self.owned.progress.lock();
                        progress.table(&name).updated = now();
                        progress.capture(transaction.end, name, item.operation);
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
    pub(super) async fn apply_caches(&mut self) -> Result<(), Broken> {
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
                let item = Item { table: id, operation: change.operation, row, xid: change.xid };
                if counts_as_captured(&tables[id], &item) {
                    let table = &tables[id];
                    let mut progress = self.owned.progress.lock();
                    let entry = progress.table(&(table.schema.clone(), table.name.clone()));
                    entry.captured.count(item.operation);
                    entry.updated = now();
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

fn broken(failure: ApplyFailure) -> Broken {
    match failure {
        ApplyFailure::Lost(failure) => Broken::from(failure),
        ApplyFailure::Stop(text) => Broken::Fatal(text),
    }
}
