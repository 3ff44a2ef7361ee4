//! Changes on the target: many source transactions in one target transaction while all goes well, one change at a
//! time with a savepoint each when something does not.
//!
//! The fast way sends every statement before it waits for the first answer. If one is refused or finds no row, the
//! whole transaction is rolled back and done again slowly, so the error policies see exactly one change at a time.

use std::collections::HashMap;
use std::sync::Arc;

use tokio_postgres::Client;

use super::access::Session;
use super::columns::Table;
use super::conflicts::{EarlierErrors, Problem, Remedy, remedy};
use super::control_tables::ControlTables;
use super::failure::Failure;
use super::lsn::Lsn;
use super::parameters::{Statements, as_sql, parameters, send};
use super::settings::TaskSettings;
use super::statements::{OnDuplicate, Statement, as_text, write};
use super::statistics::{Counts, InDoubt, Progress, TableName, TableState};
use super::stream::TableId;
use super::test_decoding::{Operation, Row};
use super::work::{Planner, Work};

/// A change of a table.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) table: TableId,
    pub(crate) operation: Operation,
    pub(crate) row: Row,
    /// The source transaction that made it.
    pub(crate) xid: u32,
}

/// A source transaction to be applied.
#[derive(Debug)]
pub(crate) struct Unit {
    /// The source's position once it is applied; none for cached changes.
    pub(crate) position: Option<Lsn>,
    /// Epoch seconds.
    pub(crate) committed_at: Option<f64>,
    pub(crate) items: Vec<Item>,
}

/// How conflicts are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tolerance {
    /// By the task's policies.
    Strict,
    /// A row that is there or is not there is what the overlap with the load makes of it.
    Overlap,
}

/// Why an apply ended.
#[derive(Debug)]
pub(crate) enum ApplyFailure {
    /// The environment failed; what was not committed comes again.
    Lost(Failure),
    /// A policy stops the task; the text is the problem's.
    Stop(String),
}

impl From<Failure> for ApplyFailure {
    fn from(failure: Failure) -> Self {
        Self::Lost(failure)
    }
}

impl From<tokio_postgres::Error> for ApplyFailure {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Lost(error.into())
    }
}

/// The two connections of the apply and what it has prepared on them.
pub(crate) struct Applier {
    pub(crate) tables: Arc<Vec<Table>>,
    pub(crate) target: Session,
    planner: Planner,
    prepared: Statements,
    settings: Arc<TaskSettings>,
    control: ControlTables,
    progress: Arc<Progress>,
}

impl Applier {
    /// An applier on fresh connections.
    pub(crate) fn new(
        planner: Planner,
        target: Session,
        settings: Arc<TaskSettings>,
        control: ControlTables,
        progress: Arc<Progress>,
    ) -> Self {
        let tables = Arc::clone(&planner.tables);
        Self { tables, target, planner, prepared: Statements::default(), settings, control, progress }
    }

    /// Apply source transactions in order. Afterwards they are committed on the target, as far as policies let them.
    pub(crate) async fn apply(&mut self, units: &[Unit], tolerance: Tolerance) -> Result<(), ApplyFailure> {
        let overlap_is_fine = self.settings.error_behavior.full_load_ignore_conflicts;
        let tolerance = if overlap_is_fine { tolerance } else { Tolerance::Strict };
        let mut works = Vec::with_capacity(units.len());
        for unit in units {
            works.push(self.planner.plan(&unit.items, tolerance).await?);
        }
        if works.iter().all(Vec::is_empty) {
            return Ok(());
        }
        if works.iter().flatten().all(|work| work.problem.is_none())
            && self.apply_fast(units, &works, tolerance).await?
        {
            return Ok(());
        }
        for (unit, works) in units.iter().zip(&works) {
            self.apply_slowly(unit, works, tolerance).await?;
        }
        Ok(())
    }

    /// All at once. False: something was refused, nothing is done.
    async fn apply_fast(
        &mut self,
        units: &[Unit],
        works: &[Vec<Work>],
        tolerance: Tolerance,
    ) -> Result<bool, ApplyFailure> {
        let mut statements = Vec::new();
        for work in works.iter().flatten() {
            for (statement, must_find) in work
                .main
                .iter()
                .map(|main| (main, tolerance == Tolerance::Strict))
                .chain(work.lobs.iter().map(|lobs| (lobs, false)))
            {
                match self.prepared.prepared(&self.target, &statement.sql).await {
                    Ok(prepared) => statements.push((prepared, statement, must_find)),
                    Err(failure) if failure.is_recoverable() => return Err(failure.into()),
                    Err(_) => return Ok(false),
                }
            }
        }
        let position = units.iter().rev().find_map(|unit| unit.position);
        self.target.batch_execute("BEGIN").await?;
        let txid = txid(&self.target).await?;
        let mut sent = Vec::with_capacity(statements.len());
        for (prepared, statement, must_find) in statements {
            let (target, values) = (&self.target, parameters(statement));
            let request = async move { target.execute(&prepared, &as_sql(&values)).await };
            sent.push((send(request).await, must_find));
        }
        let (mut is_clean, mut lost) = (true, None);
        for (sent, must_find) in sent {
            match sent.answer().await {
                Ok(0) if must_find => is_clean = false,
                Ok(_) => {}
                Err(failure) if failure.is_recoverable() => lost = Some(failure),
                Err(_) => is_clean = false,
            }
        }
        if let Some(failure) = lost {
            return Err(failure.into());
        }
        if !is_clean {
            self.target.batch_execute("ROLLBACK").await?;
            return Ok(false);
        }
        let applied = self.tally(works.iter().flatten().map(|work| (work.table, work.operation)));
        let committed_at = units.iter().rev().find_map(|unit| unit.committed_at);
        self.commit(txid, position, committed_at, applied).await?;
        Ok(true)
    }

    /// One source transaction, change by change.
    async fn apply_slowly(&mut self, unit: &Unit, works: &[Work], tolerance: Tolerance) -> Result<(), ApplyFailure> {
        self.target.batch_execute("BEGIN").await?;
        let txid = txid(&self.target).await?;
        let mut applied = Vec::new();
        for work in works {
            let name = self.name(work.table);
            if self.progress.lock().table(&name).state == TableState::Error {
                continue;
            }
            let outcome = match &work.problem {
                Some(problem) => Err(problem.clone()),
                None => self.try_one(work, tolerance).await?,
            };
            match outcome {
                Ok(()) => applied.push((work.table, work.operation)),
                Err(problem) => {
                    if self.remedy(work, &name, &problem).await? {
                        applied.push((work.table, work.operation));
                    }
                }
            }
        }
        let applied = self.tally(applied.into_iter());
        self.commit(txid, unit.position, unit.committed_at, applied).await
    }

    async fn try_one(&mut self, work: &Work, tolerance: Tolerance) -> Result<Result<(), Problem>, ApplyFailure> {
        self.target.batch_execute("SAVEPOINT dms").await?;
        for (statement, is_main) in
            work.main.iter().map(|main| (main, true)).chain(work.lobs.iter().map(|lobs| (lobs, false)))
        {
            let problem = match self.execute(statement).await {
                Ok(0) if is_main && tolerance == Tolerance::Strict => Problem::Conflict("0 rows affected".to_owned()),
                Ok(_) => continue,
                Err(failure) => {
                    let is_duplicate = failure.code() == Some("23505");
                    let problem = Problem::of(&failure).ok_or(failure)?;
                    if is_duplicate && tolerance == Tolerance::Overlap {
                        // An older state of the row collides with a newer one of another; the newer one is to come.
                        self.target.batch_execute("ROLLBACK TO SAVEPOINT dms; RELEASE SAVEPOINT dms").await?;
                        return Ok(Ok(()));
                    }
                    problem
                }
            };
            self.target.batch_execute("ROLLBACK TO SAVEPOINT dms; RELEASE SAVEPOINT dms").await?;
            return Ok(Err(problem));
        }
        self.target.batch_execute("RELEASE SAVEPOINT dms").await?;
        Ok(Ok(()))
    }

    async fn execute(&mut self, statement: &Statement) -> Result<u64, Failure> {
        let prepared = self.prepared.prepared(&self.target, &statement.sql).await?;
        let values = parameters(statement);
        Ok(self.target.execute(&prepared, &as_sql(&values)).await?)
    }

    /// Carry out what the policies say. True: the record is on the target after all.
    async fn remedy(&mut self, work: &Work, name: &TableName, problem: &Problem) -> Result<bool, ApplyFailure> {
        let earlier = {
            let mut progress = self.progress.lock();
            let tables = progress.table_errors;
            let table = progress.table(name);
            let earlier = EarlierErrors { data: table.data_errors, apply: table.apply_errors, tables };
            match problem {
                Problem::Data(_) => table.data_errors += 1,
                Problem::Conflict(_) => table.apply_errors += 1,
                Problem::Table(_) => {}
            }
            earlier
        };
        let remedy = remedy(problem, work.operation, earlier, &self.settings.error_behavior);
        tracing::info!(table = %format!("{}.{}", name.0, name.1), ?remedy, problem = problem.text(), "a change was not applied");
        if remedy == Remedy::Ignore {
            return Ok(false);
        }
        if remedy == Remedy::Upsert {
            return self.upsert(work).await;
        }
        let statement = work.main.as_ref().map_or_else(|| work.operation.to_string(), as_text);
        let exception = self.control.exception(name, &statement, problem.text());
        match remedy {
            Remedy::Stop => {
                self.target.batch_execute(&format!("ROLLBACK; {exception}")).await?;
                return Err(ApplyFailure::Stop(problem.text().to_owned()));
            }
            Remedy::Suspend => {
                self.target.batch_execute(&exception).await?;
                if let Some(suspended) = self.control.suspended(name) {
                    self.target.batch_execute(&suspended).await?;
                }
                suspend(&self.progress, name, problem.text());
            }
            _ => self.target.batch_execute(&exception).await?,
        }
        Ok(false)
    }

    /// `INSERT_RECORD` and `UPDATE_RECORD`: the other statement on the same row.
    async fn upsert(&mut self, work: &Work) -> Result<bool, ApplyFailure> {
        let tables = Arc::clone(&self.tables);
        let table = &tables[work.table];
        let (assignments, place) = (&work.assignments, &work.place);
        let statement = match work.operation {
            Operation::Insert => {
                let key = table.primary_key.as_deref().or(table.lob_key.as_deref()).unwrap_or_default();
                let (place, rest): (Vec<_>, Vec<_>) =
                    assignments.iter().cloned().partition(|assignment| key.contains(&assignment.column));
                write(table, Operation::Update, &rest, &place, OnDuplicate::Fail)
            }
            Operation::Update => {
                let all: Vec<_> = place.iter().chain(assignments).cloned().collect();
                write(table, Operation::Insert, &all, &[], OnDuplicate::Fail)
            }
            Operation::Delete => None,
        };
        let statements: Vec<_> = statement.into_iter().chain(work.lobs.clone()).collect();
        for statement in statements {
            self.target.batch_execute("SAVEPOINT dms").await?;
            if let Err(failure) = self.execute(&statement).await {
                Problem::of(&failure).ok_or(failure)?;
                self.target.batch_execute("ROLLBACK TO SAVEPOINT dms").await?;
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Commit, so that a lost answer can be looked up later.
    async fn commit(
        &mut self,
        txid: String,
        position: Option<Lsn>,
        committed_at: Option<f64>,
        applied: Vec<(TableName, Counts)>,
    ) -> Result<(), ApplyFailure> {
        if let Some(position) = position {
            if let Some(recovery) = self.control.recovery(&position.checkpoint()) {
                self.target.batch_execute(&recovery).await?;
            }
            self.progress.lock().in_doubt = Some(InDoubt { txid, position, applied: applied.clone() });
        }
        self.target.batch_execute("COMMIT").await?;
        let mut progress = self.progress.lock();
        progress.in_doubt = None;
        if position.is_some() {
            progress.checkpoint = position;
        }
        progress.applied_commit_time = committed_at.or(progress.applied_commit_time);
        for (name, counts) in applied {
            progress.table(&name).applied.add(counts);
        }
        Ok(())
    }

    fn tally(&self, applied: impl Iterator<Item = (TableId, Operation)>) -> Vec<(TableName, Counts)> {
        let mut counts: HashMap<TableId, Counts> = HashMap::new();
        for (table, operation) in applied {
            counts.entry(table).or_default().count(operation);
        }
        counts.into_iter().map(|(table, counts)| (self.name(table), counts)).collect()
    }

    fn name(&self, table: TableId) -> TableName {
        let table = &self.tables[table];
        (table.schema.clone(), table.name.clone())
    }
}

/// The table stops alone; the others go on.
pub(crate) fn suspend(progress: &Progress, name: &TableName, reason: &str) {
    let mut progress = progress.lock();
    progress.table_errors += 1;
    let table = progress.table(name);
    table.state = TableState::Error;
    table.is_live = false;
    table.error = Some(reason.to_owned());
}

/// Find out what became of a COMMIT whose answer was lost, and count it if it was done.
pub(crate) async fn resolve_doubt(target: &Client, progress: &Progress) -> Result<(), Failure> {
    let Some(doubt) = progress.lock().in_doubt.clone() else { return Ok(()) };
    let status: Option<String> = target.query_one("SELECT txid_status($1::text::int8)", &[&doubt.txid]).await?.get(0);
    match status.as_deref() {
        Some("in progress") => return Err(Failure::Connection("the last transaction is still in progress".to_owned())),
        Some("committed") => {
            let mut progress = progress.lock();
            progress.checkpoint = Some(doubt.position);
            for (name, counts) in doubt.applied {
                progress.table(&name).applied.add(counts);
            }
        }
        _ => {}
    }
    progress.lock().in_doubt = None;
    Ok(())
}

async fn txid(target: &Client) -> Result<String, Failure> {
    Ok(target.query_one("SELECT txid_current()::text", &[]).await?.get(0))
}
