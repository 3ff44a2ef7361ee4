//! Changes as work for the target: planned, their large values read from the source.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::access::Session;
use super::apply::{ApplyFailure, Item, Tolerance};
use super::cached_changes::Snapshot;
use super::columns::{LobMode, Table, limited_value};
use super::conflicts::Problem;
use super::failure::Failure;
use super::faults::Faults;
use super::parameters::{Statements, as_sql, parameters, send};
use super::statements::{Assignment, LobWork, OnDuplicate, Plan, Statement, plan, read_lobs, write, write_lobs};
use super::stream::TableId;
use super::test_decoding::Operation;

/// What a look-up gives: the columns' values, or nothing if the row is gone.
type Found = Option<Vec<Option<String>>>;

/// Statements of one item, large values already read.
pub(crate) struct Work {
    pub(crate) table: TableId,
    pub(crate) operation: Operation,
    pub(crate) main: Option<Statement>,
    pub(crate) lobs: Option<Statement>,
    /// Columns and values of the row, for an upsert.
    pub(crate) assignments: Vec<Assignment>,
    /// The row's place.
    pub(crate) place: Vec<Assignment>,
    /// Why it cannot even be tried.
    pub(crate) problem: Option<Problem>,
}

/// Plans changes; holds the connection for look-ups on the source.
pub(crate) struct Planner {
    pub(crate) tables: Arc<Vec<Table>>,
    pub(crate) source: Session,
    pub(crate) fails_on_lob_truncation: bool,
    pub(crate) prepared: Statements,
    /// What the source's sessions saw when it was last asked.
    pub(crate) seen: Option<Snapshot>,
    pub(crate) faults: Faults,
}

/// Longest time that a decoded commit may stay invisible: a synchronous standby that is away holds it back for long.
const LONGEST_UNSEEN: Duration = Duration::from_secs(60);
const UNSEEN_PAUSE: Duration = Duration::from_millis(1);

impl Planner {
    /// Plan the items of a source transaction; all look-ups go out before the first answer is awaited.
    pub(crate) async fn plan(&mut self, items: &[Item], tolerance: Tolerance) -> Result<Vec<Work>, ApplyFailure> {
        let tables = Arc::clone(&self.tables);
        let mut plans = Vec::with_capacity(items.len());
        let mut look_ups = Vec::new();
        let mut writers = Vec::new();
        for item in items {
            let table = &tables[item.table];
            let planned = plan(table, item.operation, &item.row);
            if let Plan::Write { lobs: Some(work), .. } = &planned {
                look_ups.push(read_lobs(table, work));
                writers.push(item.xid);
            }
            plans.push((item, planned));
        }
        self.await_visible(&writers).await?;
        self.faults.look_up(look_ups.len()).await;
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
                    assignments: Vec::new(),
                    place: Vec::new(),
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
                    works.push(Work { table: item.table, operation, main, lobs: second, assignments, place, problem });
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

    /// A commit is in the WAL, and so decoded, a moment before other sessions see it; a look-up in that moment would
    /// find the row as it was before and, if nobody writes it again, leave it so for good.
    async fn await_visible(&mut self, writers: &[u32]) -> Result<(), ApplyFailure> {
        let began = Instant::now();
        let mut unseen: Vec<u32> = writers.to_vec();
        loop {
            unseen.retain(|xid| !self.seen.as_ref().is_some_and(|snapshot| snapshot.saw(*xid)));
            if unseen.is_empty() {
                return Ok(());
            }
            if self.seen.is_some() && began.elapsed() > LONGEST_UNSEEN {
                let text = format!("transactions {unseen:?} of the source are decoded but not visible");
                return Err(ApplyFailure::Lost(Failure::Connection(text)));
            }
            let text: String = self.source.query_one("SELECT txid_current_snapshot()::text", &[]).await?.get(0);
            self.seen = Snapshot::parse(&text);
            if unseen.iter().any(|xid| !self.seen.as_ref().is_some_and(|snapshot| snapshot.saw(*xid))) {
                tokio::time::sleep(UNSEEN_PAUSE).await;
            }
        }
    }

    /// Read large values from the source. A row that is gone gives none.
    async fn look_up(&mut self, statements: &[Statement]) -> Result<Vec<Result<Found, Problem>>, ApplyFailure> {
        // All of them first: an answer that is larger than what the client reads at a time keeps every later answer back
        // until somebody takes it, and nobody does who waits for a statement to be prepared.
        let mut prepared = Vec::with_capacity(statements.len());
        for statement in statements {
            prepared.push(match self.prepared.prepared(&self.source, &statement.sql).await {
                Ok(ready) => Ok((ready, statement)),
                Err(failure) => Err(Problem::of(&failure).ok_or(failure)?),
            });
        }
        let mut sent = Vec::with_capacity(statements.len());
        for ready in prepared {
            sent.push(match ready {
                Ok((ready, statement)) => {
                    let (source, values) = (&self.source, parameters(statement));
                    Ok(send(async move { source.query_opt(&ready, &as_sql(&values)).await }).await)
                }
                Err(problem) => Err(problem),
            });
        }
        let mut found = Vec::with_capacity(sent.len());
        for look_up in sent {
            found.push(match look_up {
                Err(problem) => Err(problem),
                Ok(sent) => match sent.answer().await {
                    Ok(row) => Ok(row.map(|row| (0..row.len()).map(|position| row.get(position)).collect())),
                    Err(failure) => Err(Problem::of(&failure).ok_or(failure)?),
                },
            });
        }
        Ok(found)
    }
}
