//! Changes on the target: many source transactions in one target transaction while all goes well, one change at a
//! time with a savepoint each when something does not.
//!
//! The fast way sends every statement before it waits for the first answer. If one is refused or finds no row, the
//! whole transaction is rolled back and done again slowly, so the error policies see exactly one change at a time.

use std::collections::HashMap;
use std::error::Error;
use std::sync::Arc;

use bytes::BytesMut;
use futures_util::poll;
use tokio_postgres::types::{Format, IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Client, Statement as Prepared};

use super::access::Session;
use super::columns::{LobMode, Table, limited_value};
use super::conflicts::{EarlierErrors, Problem, Remedy, remedy};
use super::control_tables::ControlTables;
use super::failure::Failure;
use super::lsn::Lsn;
use super::settings::TaskSettings;
use super::statements::{
    Assignment, LobWork, OnDuplicate, Plan, Statement, as_text, plan, read_lobs, write, write_lobs,
};
use super::statistics::{Counts, InDoubt, Progress, TableName, TableState};
use super::stream::TableId;
use super::test_decoding::{Operation, Row};

/// A change of a table.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) table: TableId,
    pub(crate) operation: Operation,
    pub(crate) row: Row,
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
    source: Session,
    on_target: Statements,
    on_source: Statements,
    settings: Arc<TaskSettings>,
    control: ControlTables,
    progress: Arc<Progress>,
    fails_on_lob_truncation: bool,
}

/// Statements of one item, large values already read.
struct Work {
    table: TableId,
    operation: Operation,
    main: Option<Statement>,
    lobs: Option<Statement>,
    /// For an upsert.
    plan: (Vec<Assignment>, Vec<Assignment>),
    problem: Option<Problem>,
}

impl Applier {
    /// An applier on fresh connections.
    pub(crate) fn new(
        tables: Arc<Vec<Table>>,
        source: Session,
        target: Session,
        settings: Arc<TaskSettings>,
        control: ControlTables,
        progress: Arc<Progress>,
        fails_on_lob_truncation: bool,
    ) -> Self {
        Self {
            tables,
            target,
            source,
            on_target: Statements::default(),
            on_source: Statements::default(),
            settings,
            control,
            progress,
            fails_on_lob_truncation,
        }
    }

    /// Apply source transactions in order. Afterwards they are committed on the target, as far as policies let them.
    pub(crate) async fn apply(&mut self, units: &[Unit], tolerance: Tolerance) -> Result<(), ApplyFailure> {
        let overlap_is_fine = self.settings.error_behavior.full_load_ignore_conflicts;
        let tolerance = if overlap_is_fine { tolerance } else { Tolerance::Strict };
        let mut works = Vec::with_capacity(units.len());
        for unit in units {
            works.push(self.prepare_works(&unit.items, tolerance).await?);
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

    async fn prepare_works(&mut self, items: &[Item], tolerance: Tolerance) -> Result<Vec<Work>, ApplyFailure> {
        let tables = Arc::clone(&self.tables);
        let mut plans = Vec::with_capacity(items.len());
        let mut look_ups = Vec::new();
        for item in items {
            let table = &tables[item.table];
            let planned = plan(table, item.operation, &item.row);
            if let Plan::Write { lobs: Some(work), .. } = &planned {
                look_ups.push(read_lobs(table, work));
            }
            plans.push((item, planned));
        }
        let mut found = self.look_up(&look_ups).await?.into_iter();
        let mut works = Vec::with_capacity(items.len());
        for (item, planned) in plans {
            let table = &tables[item.table];
            match planned {
                Plan::Ignored => {}
                Plan::Refused(reason) => works.push(Work {
                    table: item.table,
                    operation: item.operation,
                    main: None,
                    lobs: None,
                    plan: (Vec::new(), Vec::new()),
                    problem: Some(Problem::Data(reason)),
                }),
                Plan::Write { operation, assignments, place, lobs } => {
                    let mut problem = None;
                    let mut second = None;
                    if let Some(work) = lobs {
                        match found.next().expect("one answer for each look-up") {
                            Ok(values) => {
                                second = self.second_statement(table, &work, values)?;
                            }
                            Err(refused) => problem = Some(refused),
                        }
                    }
                    let keep = if tolerance == Tolerance::Overlap { OnDuplicate::Keep } else { OnDuplicate::Fail };
                    let main = write(table, operation, &assignments, &place, keep);
                    works.push(Work {
                        table: item.table,
                        operation,
                        main,
                        lobs: second,
                        plan: (assignments, place),
                        problem,
                    });
                }
            }
        }
        Ok(works)
    }

    /// The second statement, with what limited mode leaves of the values. A row that is gone has none.
    fn second_statement(
        &self,
        table: &Table,
        work: &LobWork,
        values: Option<Vec<Option<String>>>,
    ) -> Result<Option<Statement>, ApplyFailure> {
        let Some(mut values) = values else { return Ok(None) };
        if let LobMode::Limited(kilobytes) = table.lob_mode {
            for (column, value) in work.columns.iter().zip(&mut values) {
                let column = &table.columns[*column];
                let Some(cut) = value.as_deref().and_then(|whole| limited_value(column, whole, kilobytes)) else {
                    continue;
                };
                if self.fails_on_lob_truncation {
                    return Err(ApplyFailure::Stop(format!(
                        "LOB value of column '{}' in table '{}'.'{}' is truncated and FailTasksOnLobTruncation is set",
                        column.name, table.schema, table.name
                    )));
                }
                *value = Some(cut);
            }
        }
        Ok(Some(write_lobs(table, work, values)))
    }

    /// Read large values from the source, all look-ups at once. A row that is gone gives none.
    async fn look_up(
        &mut self,
        statements: &[Statement],
    ) -> Result<Vec<Result<Option<Vec<Option<String>>>, Problem>>, ApplyFailure> {
        let mut sent = Vec::with_capacity(statements.len());
        for statement in statements {
            let prepared = match self.on_source.prepared(&self.source, &statement.sql).await {
                Ok(prepared) => prepared,
                Err(failure) => {
                    let problem = Problem::of(&failure).ok_or(failure)?;
                    sent.push(Err(problem));
                    continue;
                }
            };
            let values = parameters(statement);
            let source = &self.source;
            let mut answer = Box::pin(async move { source.query_opt(&prepared, &as_sql(&values)).await });
            let at_once = poll!(&mut answer);
            sent.push(Ok((answer, at_once)));
        }
        let mut found = Vec::with_capacity(sent.len());
        for look_up in sent {
            found.push(match look_up {
                Err(problem) => Err(problem),
                Ok((answer, at_once)) => {
                    let answer = match at_once {
                        std::task::Poll::Ready(answer) => answer,
                        std::task::Poll::Pending => answer.await,
                    };
                    match answer {
                        Ok(row) => Ok(row.map(|row| (0..row.len()).map(|position| row.get(position)).collect())),
                        Err(error) => {
                            let failure = Failure::from(error);
                            Err(Problem::of(&failure).ok_or(failure)?)
                        }
                    }
                }
            });
        }
        Ok(found)
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
                match self.on_target.prepared(&self.target, &statement.sql).await {
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
            let values = parameters(statement);
            let target = &self.target;
            let mut answer = Box::pin(async move { target.execute(&prepared, &as_sql(&values)).await });
            let at_once = poll!(&mut answer);
            sent.push((answer, at_once, must_find));
        }
        let mut is_clean = true;
        let mut lost = None;
        for (answer, at_once, must_find) in sent {
            let outcome = match at_once {
                std::task::Poll::Ready(outcome) => outcome,
                std::task::Poll::Pending => answer.await,
            };
            match outcome.map_err(Failure::from) {
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
                Err(failure) => Problem::of(&failure).ok_or(failure)?,
            };
            self.target.batch_execute("ROLLBACK TO SAVEPOINT dms; RELEASE SAVEPOINT dms").await?;
            return Ok(Err(problem));
        }
        self.target.batch_execute("RELEASE SAVEPOINT dms").await?;
        Ok(Ok(()))
    }

    async fn execute(&mut self, statement: &Statement) -> Result<u64, Failure> {
        let prepared = self.on_target.prepared(&self.target, &statement.sql).await?;
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
        let (assignments, place) = &work.plan;
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

/// Prepared statements of one connection by their text.
#[derive(Default)]
struct Statements {
    prepared: HashMap<String, Prepared>,
}

impl Statements {
    async fn prepared(&mut self, client: &Client, sql: &str) -> Result<Prepared, Failure> {
        if let Some(prepared) = self.prepared.get(sql) {
            return Ok(prepared.clone());
        }
        let prepared = client.prepare(sql).await?;
        self.prepared.insert(sql.to_owned(), prepared.clone());
        Ok(prepared)
    }
}

/// A value in its text form, for a parameter of whatever type the server infers.
#[derive(Debug)]
struct TextForm(String);

impl ToSql for TextForm {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.extend_from_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    to_sql_checked!();
}

fn parameters(statement: &Statement) -> Vec<Option<TextForm>> {
    statement.values.iter().map(|value| value.clone().map(TextForm)).collect()
}

fn as_sql(values: &[Option<TextForm>]) -> Vec<&(dyn ToSql + Sync)> {
    values.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
}
