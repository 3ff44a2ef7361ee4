//! The loads of a task as its loop sees them: begun, ended, failed, asked for again, broken off.

use std::sync::Arc;

use super::super::apply::suspend;
use super::super::failure::Failure;
use super::super::load::{LoadFailure, load_table};
use super::super::settings::ErrorPolicy;
use super::super::statistics::{TableName, TableState};
use super::super::stream::TableId;
use super::super::task::{Broken, Ending};
use super::{LoadEvent, Loop, Mode, Parked, now};

impl Loop<'_> {
    pub(super) fn start_load(&mut self, table: TableId) {
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
        let must_see: Vec<u32> = self.routed.iter().copied().collect();
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
            let outcome = load_table(&load, &tables[table], &must_see, begun).await;
            let _loop_ended = sender.send(LoadEvent::Ended(table, outcome));
        });
    }

    pub(super) async fn take_load_event(&mut self, event: LoadEvent) -> Result<(), Broken> {
        match event {
            LoadEvent::Begun(table, begun) => {
                if let Mode::Cached(catching) = &mut self.modes[table] {
                    catching.begun = Some(begun);
                }
                Ok(())
            }
            LoadEvent::Ended(table, outcome) => {
                self.loading -= 1;
                if self.loading == 0 {
                    self.owned.load.close_idle_connections();
                }
                match outcome {
                    Ok(()) => {
                        self.load_ended(table);
                        Ok(())
                    }
                    Err(LoadFailure::Table(reason)) => self.table_failed(table, &reason).await,
                    Err(LoadFailure::Fatal(text)) => Err(Broken::Fatal(text)),
                    Err(LoadFailure::DiskFull) => Err(Broken::DiskFull),
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
        let notes = [self.owned.control.load_exception(&name, reason), self.owned.control.suspended(&name)];
        for statement in notes.into_iter().flatten() {
            target.batch_execute(&statement).await.map_err(Failure::from)?;
        }
        if self.owned.load.settings.error_behavior.table_error_policy == ErrorPolicy::StopTask {
            return Err(Broken::Fatal(reason.to_owned()));
        }
        Ok(())
    }

    pub(super) fn reload(&mut self, name: &TableName) {
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

    /// The instance goes down under the task. Changes resume by themselves; tables in load end in error.
    pub(super) fn interrupted(&mut self) -> Ending {
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
    pub(super) fn park(&mut self) -> Parked {
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
}
