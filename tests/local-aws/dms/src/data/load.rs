//! The full load of one table: prepare the target, copy the rows, then the large values.
//!
//! Each table is read at its own moment, as DMS does; changes that overlap its load are the cached changes' affair.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use postgres_protocol::message::frontend;

use super::access::{Access, Session};
use super::cached_changes::Snapshot;
use super::columns::{Carriage, Column, LobMode, Table, TypeMappings, quoted, select_expression};
use super::failure::Failure;
use super::faults::{Appetite, Faults};
use super::lob;
use super::lsn::Lsn;
use super::prepare;
use super::settings::{ErrorPolicy, TaskSettings};
use super::statistics::{Progress, TableName};
use super::wire::Wire;

/// Bytes of rows after which a COPY is ended and the next begun: DMS's `MaxFileSize`.
const BATCH_BYTES: u64 = 32 * 1024 * 1024;

/// Longest time that a decoded commit may stay invisible to a load.
const LONGEST_UNSEEN: Duration = Duration::from_secs(60);
const UNSEEN_PAUSE: Duration = Duration::from_millis(1);

/// Bytes forwarded at once.
const CHUNK_BYTES: usize = 1024 * 1024;

/// What every load of a task shares.
pub(crate) struct LoadContext {
    pub(crate) source: Access,
    pub(crate) target: Access,
    pub(crate) settings: Arc<TaskSettings>,
    pub(crate) mappings: TypeMappings,
    pub(crate) fails_on_lob_truncation: bool,
    pub(crate) progress: Arc<Progress>,
    pub(crate) faults: Faults,
    /// The replication instance's class.
    pub(crate) class: String,
    /// The replication instance's storage in GiB.
    pub(crate) storage_gib: u32,
    /// Restarts the replication instance.
    pub(crate) reboot: Arc<dyn Fn() + Send + Sync>,
    pub(crate) idle: Mutex<Vec<LoadConnections>>,
}

/// Why a load ended before its end.
#[derive(Debug)]
pub(crate) enum LoadFailure {
    /// This table cannot be loaded.
    Table(String),
    /// The task cannot go on; the text is DMS's.
    Fatal(String),
    /// The replication instance's disk is full.
    DiskFull,
    /// The environment failed.
    Lost(Failure),
}

impl From<Failure> for LoadFailure {
    fn from(failure: Failure) -> Self {
        if failure.is_recoverable() { Self::Lost(failure) } else { Self::Table(failure.odbc_text()) }
    }
}

/// What a load knows as soon as it reads.
#[derive(Debug, Clone)]
pub(crate) struct Begun {
    pub(crate) snapshot: Snapshot,
    /// The snapshot saw nothing that was committed after this position.
    pub(crate) seen_through: Lsn,
}

/// Load one table. `begun` hears of the snapshot before the first row is copied. `must_see` are transactions whose
/// changes went to the table as it was before: a snapshot that does not see them yet would lose them.
pub(crate) async fn load_table(
    context: &LoadContext,
    table: &Table,
    must_see: &[u32],
    begun: impl FnOnce(Begun),
) -> Result<(), LoadFailure> {
    if let Some(refusal) = &table.refusal {
        return Err(LoadFailure::Table(refusal.clone()));
    }
    if !context.settings.target_metadata.support_lobs && table.columns.iter().any(Column::is_lob) {
        return Err(LoadFailure::Table("ERROR: missing data for column: SupportLobs is false".to_owned()));
    }
    let mut connections = context.connections().await?;
    let LoadConnections { source, target, .. } = &mut connections;
    let prep_mode = context.settings.full_load_settings.target_table_prep_mode;
    prepare::prepare(target, table, prep_mode, &context.mappings).await?;
    begun(take_snapshot(source, must_see).await?);
    let condition = check_values(context, table, source).await?;
    copy_rows(context, table, &condition, source, target).await?;
    source.command("COMMIT").await?;
    if context.faults.fails_in_every_mode(&table.schema, &table.name) {
        return Err(LoadFailure::Table("planned fault: rows cannot be written".to_owned()));
    }
    if let LobMode::Full(inline) = table.lob_mode
        && table.columns.iter().any(Column::is_lob)
    {
        if context.faults.fails_in_full_lob_mode(&table.schema, &table.name) {
            return Err(LoadFailure::Table("planned fault: large values cannot be written".to_owned()));
        }
        let (from, to) = connections.for_large_values(context).await?;
        lob::copy(from, to, table, inline, &context.faults).await?;
    }
    context.give_back(connections);
    Ok(())
}

/// What one load after the other uses: a login costs more than a small table.
pub(crate) struct LoadConnections {
    source: Wire,
    target: Wire,
    large_values: Option<(Session, Session)>,
}

impl LoadConnections {
    async fn for_large_values(&mut self, context: &LoadContext) -> Result<(&Session, &Session), Failure> {
        if self.large_values.is_none() {
            let source = context.source.connect("AWS DMS load").await?;
            let target = context.target.connect("AWS DMS load").await?;
            self.large_values = Some((source, target));
        }
        let (source, target) = self.large_values.as_ref().expect("made just above");
        Ok((source, target))
    }
}

impl LoadContext {
    async fn connections(&self) -> Result<LoadConnections, Failure> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some(connections) = idle {
            return Ok(connections);
        }
        let source = Wire::connect(&self.source, false).await?;
        let target = Wire::connect(&self.target, false).await?;
        Ok(LoadConnections { source, target, large_values: None })
    }

    /// Only after a success: after a failure nobody knows where a connection stands.
    fn give_back(&self, connections: LoadConnections) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connections);
    }

    /// Close what waits for the next load.
    pub(crate) fn close_idle_connections(&self) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

async fn take_snapshot(source: &mut Wire, must_see: &[u32]) -> Result<Begun, Failure> {
    let give_up = Instant::now() + LONGEST_UNSEEN;
    loop {
        source.command("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
        let begun = read_snapshot(source).await?;
        if must_see.iter().all(|xid| begun.snapshot.saw(*xid)) {
            return Ok(begun);
        }
        if Instant::now() > give_up {
            return Err(Failure::Connection("transactions of the source are decoded but not visible".to_owned()));
        }
        source.command("ROLLBACK").await?;
        tokio::time::sleep(UNSEEN_PAUSE).await;
    }
}

async fn read_snapshot(source: &mut Wire) -> Result<Begun, Failure> {
    let snapshot = source.value("SELECT txid_current_snapshot()::text").await?;
    let snapshot =
        Snapshot::parse(&snapshot).ok_or_else(|| Failure::Connection(format!("read snapshot: {snapshot} is none")))?;
    let position = source.value("SELECT pg_current_wal_insert_lsn()::text").await?;
    let seen_through = position.parse().map_err(|error| Failure::Connection(format!("{error}")))?;
    Ok(Begun { snapshot, seen_through })
}

/// Values that do not travel or would be cut; the answer is a condition that leaves rows out, or nothing.
async fn check_values(context: &LoadContext, table: &Table, source: &mut Wire) -> Result<String, LoadFailure> {
    let behavior = &context.settings.error_behavior;
    for column in table.columns.iter().filter(|column| column.carriage == Carriage::Unsupported) {
        if any_row(source, table, &format!("{} IS NOT NULL", quoted(&column.name))).await? {
            return Err(LoadFailure::Table(format!(
                "Data type {} of column '{}' is not supported",
                column.type_name, column.name
            )));
        }
    }
    if let LobMode::Limited(_) = table.lob_mode
        && context.fails_on_lob_truncation
    {
        for column in table.columns.iter().filter(|column| column.is_lob()) {
            let name = quoted(&column.name);
            let whole = if column.carriage == Carriage::BinaryLob { name } else { format!("{name}::text") };
            let cut = select_expression(column, table.lob_mode);
            if any_row(source, table, &format!("({cut}) <> {whole}")).await? {
                return Err(LoadFailure::Fatal(format!(
                    "LOB value of column '{}' in table '{}'.'{}' is truncated and FailTasksOnLobTruncation is set",
                    column.name, table.schema, table.name
                )));
            }
        }
    }
    let mut condition = String::new();
    for column in &table.columns {
        let Carriage::UnboundedVarchar(limit) = column.carriage else { continue };
        let too_long = format!("char_length({}) > {limit}", quoted(&column.name));
        let policy = behavior.data_truncation_error_policy;
        if policy == ErrorPolicy::LogError || !any_row(source, table, &too_long).await? {
            continue;
        }
        let text = format!("Data of column '{}' is truncated at {limit} characters", column.name);
        match policy {
            ErrorPolicy::StopTask => return Err(LoadFailure::Fatal(text)),
            ErrorPolicy::SuspendTable => return Err(LoadFailure::Table(text)),
            _ => {
                let joint = if condition.is_empty() { " WHERE" } else { " AND" };
                condition.push_str(&format!("{joint} coalesce(NOT ({too_long}), true)"));
            }
        }
    }
    Ok(condition)
}

async fn any_row(source: &mut Wire, table: &Table, condition: &str) -> Result<bool, Failure> {
    let sql = format!("SELECT EXISTS (SELECT 1 FROM {} WHERE {condition})", table.qualified());
    Ok(source.value(&sql).await? == "t")
}

/// Columns that the COPY names; large values that are not carried are left to the target's defaults.
fn copied_columns(table: &Table) -> Vec<&Column> {
    table.columns.iter().filter(|column| !column.is_lob() || table.lob_mode != LobMode::NotCarried).collect()
}

async fn copy_rows(
    context: &LoadContext,
    table: &Table,
    condition: &str,
    source: &mut Wire,
    target: &mut Wire,
) -> Result<(), LoadFailure> {
    let columns = copied_columns(table);
    let expressions: Vec<_> = columns.iter().map(|column| select_expression(column, table.lob_mode)).collect();
    let names: Vec<_> = columns.iter().map(|column| quoted(&column.name)).collect();
    let qualified = table.qualified();
    let copy_out = format!("COPY (SELECT {} FROM {qualified}{condition}) TO STDOUT", expressions.join(","));
    let copy_in = format!("COPY {qualified} ({}) FROM STDIN", names.join(","));
    source.open_copy(&copy_out, b'H').await?;
    target.open_copy(&copy_in, b'G').await?;
    let name: TableName = (table.schema.clone(), table.name.clone());
    let mut batch = 0_u64;
    loop {
        let (rows, count) = source.take_copy_rows(CHUNK_BYTES);
        if count > 0 {
            target.send(&rows).await?;
            if let Some(failure) = target.failure_at_hand() {
                return Err(failure.into());
            }
            batch += rows.len() as u64;
            count_rows(context, &name, count)?;
            if batch >= BATCH_BYTES {
                target.end_copy().await?;
                target.open_copy(&copy_in, b'G').await?;
                batch = 0;
            }
            continue;
        }
        match source.take_frame() {
            Some(frame) if frame.tag == b'c' => break,
            Some(frame) if frame.tag == b'E' => {
                abandon(target).await?;
                return Err(super::failure::server_failure(&frame.body).into());
            }
            Some(_) => {}
            None => source.fill().await?,
        }
    }
    source.finish().await?;
    target.end_copy().await?;
    count_rows(context, &name, 0)
}

async fn abandon(target: &mut Wire) -> Result<(), Failure> {
    let mut out = BytesMut::new();
    frontend::copy_fail("the source failed", &mut out)?;
    target.send(&out).await
}

/// Rows that the target was given count at once, as DMS counts them: they may not be committed yet.
fn count_rows(context: &LoadContext, name: &TableName, rows: u64) -> Result<(), LoadFailure> {
    let percent = {
        let mut progress = context.progress.lock();
        progress.table(name).full_load_rows += rows;
        progress.percent()
    };
    if context.faults.reboots_instance(percent) {
        (context.reboot)();
    }
    if context.faults.fills_disk(percent, context.storage_gib) {
        return Err(LoadFailure::DiskFull);
    }
    let settings = &context.settings.full_load_settings;
    let appetite = Appetite { tables: settings.max_full_load_sub_tasks, rows: settings.commit_rate };
    if context.faults.is_out_of_memory(percent, &context.class, appetite) {
        return Err(LoadFailure::Fatal("Replication task out of memory.".to_owned()));
    }
    Ok(())
}
