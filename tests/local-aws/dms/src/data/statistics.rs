//! What a task knows of its tables and of itself: the figures of DescribeTableStatistics and ReplicationTaskStats,
//! and the little that must survive from one start to the next (slot, checkpoint, which tables are loaded).

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::lsn::Lsn;
use super::test_decoding::Operation;

/// A table's schema and name.
pub(crate) type TableName = (String, String);

/// `TableState`, in the API's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum TableState {
    #[default]
    BeforeLoad,
    FullLoad,
    Completed,
    Error,
    Reloading,
}

impl TableState {
    /// The API's text.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::BeforeLoad => "Before load",
            Self::FullLoad => "Full load",
            Self::Completed => "Table completed",
            Self::Error => "Table error",
            Self::Reloading => "Table is being reloaded",
        }
    }
}

/// Rows by operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Counts {
    pub(crate) inserts: u64,
    pub(crate) updates: u64,
    pub(crate) deletes: u64,
}

impl Counts {
    /// One more.
    pub(crate) fn count(&mut self, operation: Operation) {
        match operation {
            Operation::Insert => self.inserts += 1,
            Operation::Update => self.updates += 1,
            Operation::Delete => self.deletes += 1,
        }
    }

    /// One less: it comes again.
    fn uncount(&mut self, operation: Operation) {
        match operation {
            Operation::Insert => self.inserts -= 1,
            Operation::Update => self.updates -= 1,
            Operation::Delete => self.deletes -= 1,
        }
    }

    /// All of another.
    pub(crate) fn add(&mut self, other: Self) {
        self.inserts += other.inserts;
        self.updates += other.updates;
        self.deletes += other.deletes;
    }
}

/// One table's figures.
#[derive(Debug, Clone, Default)]
pub(crate) struct TableProgress {
    pub(crate) state: TableState,
    /// Loaded and level with the stream: its changes are applied with everybody's, in order of commit.
    pub(crate) is_live: bool,
    pub(crate) estimated_rows: u64,
    pub(crate) full_load_rows: u64,
    pub(crate) full_load_error_rows: u64,
    /// Epoch seconds.
    pub(crate) full_load_started: Option<f64>,
    /// Epoch seconds.
    pub(crate) full_load_ended: Option<f64>,
    pub(crate) reloaded: bool,
    pub(crate) captured: Counts,
    pub(crate) applied: Counts,
    pub(crate) data_errors: u64,
    pub(crate) apply_errors: u64,
    /// Epoch seconds.
    pub(crate) updated: f64,
    /// Why the table is in error; DMS says it only in its log.
    pub(crate) error: Option<String>,
}

/// A slot that the task reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Slot {
    pub(crate) name: String,
    /// Made by DMS, so dropped with the task.
    pub(crate) is_ours: bool,
}

/// A target transaction whose COMMIT was sent and not yet answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InDoubt {
    /// `txid_current()` of the target.
    pub(crate) txid: String,
    /// The source's position once it is committed.
    pub(crate) position: Lsn,
    /// What it applied.
    pub(crate) applied: Vec<(TableName, Counts)>,
}

/// All of a task's figures.
#[derive(Debug, Clone, Default)]
pub(crate) struct TaskProgress {
    pub(crate) tables: BTreeMap<TableName, TableProgress>,
    pub(crate) slot: Option<Slot>,
    /// Every live table is applied through here.
    pub(crate) checkpoint: Option<Lsn>,
    pub(crate) in_doubt: Option<InDoubt>,
    /// Counted as captured and not yet applied, each with the end of its transaction.
    captured: Vec<(Lsn, TableName, Operation)>,
    /// The whole load is over, errors included.
    pub(crate) load_is_over: bool,
    /// Epoch seconds.
    pub(crate) full_load_started: Option<f64>,
    /// Epoch seconds.
    pub(crate) full_load_ended: Option<f64>,
    pub(crate) table_errors: u64,
    /// Commit time of the last applied source transaction, epoch seconds.
    pub(crate) applied_commit_time: Option<f64>,
}

/// Figures by table state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct TableTally {
    pub(crate) loaded: usize,
    pub(crate) loading: usize,
    pub(crate) queued: usize,
    pub(crate) errored: usize,
}

impl TaskProgress {
    /// A table's figures, made if need be.
    pub(crate) fn table(&mut self, name: &TableName) -> &mut TableProgress {
        self.tables.entry(name.clone()).or_default()
    }

    /// Count a change that the slot gave, in a transaction that ends at `end`.
    pub(crate) fn capture(&mut self, end: Lsn, name: TableName, operation: Operation) {
        self.table(&name).captured.count(operation);
        self.captured.push((end, name, operation));
    }

    /// Every captured change is on the target, or its policy let it go.
    pub(crate) fn captured_is_applied(&mut self) {
        self.captured.clear();
    }

    /// The slot is read again from `position`: what was captured behind it and never applied will be counted again.
    pub(crate) fn read_again_from(&mut self, position: Lsn) {
        self.checkpoint = Some(position);
        for (end, name, operation) in std::mem::take(&mut self.captured) {
            if end > position {
                self.table(&name).captured.uncount(operation);
            }
        }
    }

    /// How many tables are where.
    pub(crate) fn tally(&self) -> TableTally {
        let mut tally = TableTally::default();
        for table in self.tables.values() {
            match table.state {
                TableState::Completed => tally.loaded += 1,
                TableState::FullLoad | TableState::Reloading => tally.loading += 1,
                TableState::BeforeLoad => tally.queued += 1,
                TableState::Error => tally.errored += 1,
            }
        }
        tally
    }

    /// `FullLoadProgressPercent`: by rows and the source's statistics; a table that is over counts as whole, also
    /// when it ended in error, so 100 can stand beside errored tables.
    pub(crate) fn percent(&self) -> u8 {
        if self.load_is_over {
            return 100;
        }
        let (mut done, mut whole) = (0_u64, 0_u64);
        for table in self.tables.values() {
            let estimate = table.estimated_rows.max(table.full_load_rows).max(1);
            whole += estimate;
            done += match table.state {
                TableState::Completed | TableState::Error => estimate,
                _ => table.full_load_rows.min(estimate),
            };
        }
        (done * 100).checked_div(whole).map_or(0, |percent| u8::try_from(percent).unwrap_or(100).min(99))
    }
}

/// Shared between the data plane, which writes, and the control plane, which reads.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    inner: Mutex<TaskProgress>,
}

impl Progress {
    /// Look or change; never held across a wait.
    pub(crate) fn lock(&self) -> MutexGuard<'_, TaskProgress> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(tables: &[(TableState, u64, u64)]) -> TaskProgress {
        let mut progress = TaskProgress::default();
        for (number, (state, estimated_rows, full_load_rows)) in tables.iter().enumerate() {
            let table = progress.table(&("s".to_owned(), format!("t{number}")));
            *table = TableProgress {
                state: *state,
                estimated_rows: *estimated_rows,
                full_load_rows: *full_load_rows,
                ..TableProgress::default()
            };
        }
        progress
    }

    #[test]
    fn the_percentage_leans_on_statistics_and_ends_only_with_the_load() {
        use TableState::{BeforeLoad, Completed, Error, FullLoad};

        let cases = [
            (vec![], 0),
            (vec![(BeforeLoad, 100, 0)], 0),
            (vec![(FullLoad, 100, 50)], 50),
            (vec![(FullLoad, 0, 500)], 99),
            (vec![(Completed, 100, 100), (BeforeLoad, 100, 0)], 50),
            (vec![(Error, 100, 3), (Completed, 100, 100)], 99),
        ];

        for (tables, expected) in cases {
            assert_eq!(progress(&tables).percent(), expected, "{tables:?}");
        }
        let mut over = progress(&[(Error, 100, 3)]);
        over.load_is_over = true;
        assert_eq!(over.percent(), 100);
        assert_eq!(over.tally(), TableTally { errored: 1, ..TableTally::default() });
    }
}
