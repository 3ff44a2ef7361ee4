//! A started task: what it is told, how it begins, how it recovers, how it ends.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use local_aws_core::Clock;
use tokio::sync::{mpsc, watch};

use super::access::{Access, Session};
use super::apply::{Applier, resolve_doubt};
use super::catalog::selected_tables;
use super::columns::{Table, TypeMappings};
use super::control_tables::{self, ControlTables};
use super::failure::Failure;
use super::faults::Faults;
use super::load::LoadContext;
use super::lsn::Lsn;
use super::mapping::TableMapping;
use super::parameters::Statements;
pub(crate) use super::replicate::Parked;
use super::replicate::Replication;
use super::settings::TaskSettings;
use super::slot;
use super::statistics::{Progress, Slot, TableName, TableState};
use super::stream::{ChangeStream, TableIndex};
use super::work::Planner;

/// `MigrationType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Migration {
    FullLoad,
    Changes,
    FullLoadAndChanges,
}

/// How a start treats what an earlier one left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StartMode {
    /// The first start, or everything anew: a new slot, every table loaded.
    Fresh,
    /// Go on from the last position; tables that were not loaded are.
    Resume,
}

/// `CdcStopPosition`, epoch seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum StopPosition {
    ServerTime(f64),
    CommitTime(f64),
}

impl StopPosition {
    /// The time on the replication instance's clock.
    pub(crate) fn server_time(self) -> Option<f64> {
        if let Self::ServerTime(at) = self { Some(at) } else { None }
    }

    /// The time of commit on the source.
    pub(crate) fn commit_time(self) -> Option<f64> {
        if let Self::CommitTime(at) = self { Some(at) } else { None }
    }
}

/// What somebody outside wants of a running task.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Halt {
    #[default]
    Run,
    /// StopReplicationTask.
    Stop,
    /// The replication instance goes down.
    Interrupt,
}

/// `StopReason`, without its prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StopReason {
    Normal,
    FullLoadOnlyFinished,
    AfterFullLoad,
    AfterCachedEvents,
    AtServerTime,
    AtCommitTime,
    LowDisk,
}

impl StopReason {
    /// The API's text.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Normal => "Stop Reason NORMAL",
            Self::FullLoadOnlyFinished => "Stop Reason FULL_LOAD_ONLY_FINISHED",
            Self::AfterFullLoad => "Stop Reason STOPPED_AFTER_FULL_LOAD",
            Self::AfterCachedEvents => "Stop Reason STOPPED_AFTER_CACHED_EVENTS",
            Self::AtServerTime => "Stop Reason STOPPED_AT_SERVER_TIME",
            Self::AtCommitTime => "Stop Reason STOPPED_AT_COMMIT_TIME",
            Self::LowDisk => "Stop Reason STOPPED_DUE_TO_LOW_DISK",
        }
    }
}

/// How a task ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ending {
    Stopped(StopReason),
    /// The text is LastFailureMessage.
    Failed(String),
    /// By its instance; it goes on when that is back.
    Interrupted,
}

/// Why an attempt broke off.
#[derive(Debug)]
pub(crate) enum Broken {
    /// For good; the text is the middle of LastFailureMessage.
    Fatal(String),
    /// The replication instance's disk is full: DMS stops the task.
    DiskFull,
    /// The environment failed: DMS tries again.
    Lost(Failure),
}

impl From<Failure> for Broken {
    fn from(failure: Failure) -> Self {
        if failure.is_recoverable() { Self::Lost(failure) } else { Self::Fatal(failure.odbc_text()) }
    }
}

/// A task as one start sees it.
pub(crate) struct TaskRun {
    pub(crate) resource_id: String,
    /// `ReplicationInstanceIdentifier`.
    pub(crate) server: String,
    pub(crate) class: String,
    pub(crate) storage_gib: u32,
    /// Restarts the replication instance.
    pub(crate) reboot: Arc<dyn Fn() + Send + Sync>,
    /// `EngineVersion`.
    pub(crate) engine: String,
    pub(crate) migration: Migration,
    pub(crate) mode: StartMode,
    pub(crate) mapping: Arc<TableMapping>,
    pub(crate) settings: Arc<TaskSettings>,
    pub(crate) mappings: TypeMappings,
    pub(crate) fails_on_lob_truncation: bool,
    pub(crate) captures_ddl: bool,
    pub(crate) ddl_schema: String,
    /// `SlotName` of the source endpoint.
    pub(crate) given_slot: Option<String>,
    pub(crate) start_position: Option<Lsn>,
    pub(crate) stop_position: Option<StopPosition>,
    pub(crate) source: Access,
    pub(crate) target: Access,
    pub(crate) progress: Arc<Progress>,
    pub(crate) parked: Arc<Mutex<Parked>>,
    pub(crate) faults: Faults,
    pub(crate) clock: Clock,
    pub(crate) halt: watch::Receiver<Halt>,
    pub(crate) reloads: mpsc::UnboundedReceiver<TableName>,
}

/// How long a stop waits for the transaction at hand.
const STOP_GRACE: Duration = Duration::from_secs(60);

const NO_TABLES: &str = " No tables were found at task initialization. Either the selected table(s) or schemas(s) no \
    longer exist or no match was found for the table selection pattern(s). If you would like to start a Task that \
    does not initially capture any tables, set Task Setting FailOnNoTablesCaptured to false and restart task.";

impl TaskRun {
    /// Run to an end. `started` hears when the task is past its start.
    pub(crate) async fn run(mut self, started: impl Fn()) -> Ending {
        let mut lost = 0_i64;
        let behavior = self.settings.error_behavior.clone();
        let mut pause = Duration::from_secs(behavior.recoverable_error_interval);
        loop {
            let before = self.progress.lock().checkpoint;
            let outcome = self.attempt(&started).await;
            if outcome.is_err() && *self.halt.borrow() == Halt::Stop {
                return Ending::Stopped(StopReason::Normal);
            }
            let failure = match outcome {
                Ok(ending) => return ending,
                Err(Broken::Fatal(text)) => return Ending::Failed(fatal(&text)),
                Err(Broken::DiskFull) => return Ending::Stopped(StopReason::LowDisk),
                Err(Broken::Lost(failure)) => failure,
            };
            tracing::info!(task = self.resource_id, %failure, "the task lost a server and tries again");
            if self.progress.lock().checkpoint != before {
                (lost, pause) = (0, Duration::from_secs(behavior.recoverable_error_interval));
            }
            lost += 1;
            if behavior.recoverable_error_count >= 0 && lost > behavior.recoverable_error_count {
                return Ending::Failed(format!(
                    "Last Error {} Task '{}' was stopped after {} recovery attempts Stop Reason FATAL_ERROR Error \
                     Level FATAL",
                    failure.odbc_text(),
                    self.resource_id,
                    behavior.recoverable_error_count
                ));
            }
            tokio::select! {
                () = self.clock.sleep(pause) => {}
                ending = halted(&mut self.halt) => return ending,
            }
            if behavior.recoverable_error_throttling {
                pause = (pause * 2).min(Duration::from_secs(behavior.recoverable_error_throttling_max));
            }
        }
    }

    async fn attempt(&mut self, started: &impl Fn()) -> Result<Ending, Broken> {
        let mut halt = self.halt.clone();
        let begun = tokio::select! {
            begun = self.begin() => begun?,
            ending = halted(&mut halt) => return Ok(ending),
        };
        started();
        let (mut replication, parked) = begun;
        let outcome = tokio::select! {
            outcome = replication.run(parked) => outcome,
            ending = self.overdue(&mut halt) => Ok((ending, Parked::new())),
        };
        // The receiver of reloads outlives the attempt.
        std::mem::swap(&mut self.reloads, &mut replication.reloads);
        let (ending, parked) = outcome?;
        *self.parked.lock().unwrap_or_else(PoisonError::into_inner) = parked;
        Ok(ending)
    }

    /// A statement that waits for somebody's lock must not keep a task from stopping: what it would have written is
    /// rolled back and comes again.
    async fn overdue(&self, halt: &mut watch::Receiver<Halt>) -> Ending {
        let ending = halted(halt).await;
        self.clock.sleep(STOP_GRACE).await;
        ending
    }

    async fn begin(&mut self) -> Result<(Replication, Parked), Broken> {
        let source = self.source.connect("AWS DMS").await?;
        let target = self.target.connect("AWS DMS apply").await?;
        for (session, side) in [(&source, "source"), (&target, "target")] {
            check_version(session, side, &self.engine).await?;
        }
        resolve_doubt(&target, &self.progress).await?;
        let views_allowed = self.migration == Migration::FullLoad;
        let mut tables = selected_tables(&source, &self.mapping, &self.settings, &self.mappings, views_allowed).await?;
        if self.mode == StartMode::Resume {
            let progress = self.progress.lock();
            if progress.load_is_over {
                // A table made since is not the task's: without DDL capture nobody told DMS of it.
                tables.retain(|table| progress.tables.contains_key(&(table.schema.clone(), table.name.clone())));
            }
        }
        if tables.is_empty() && self.settings.error_behavior.fail_on_no_tables_captured {
            return Err(Broken::Fatal(NO_TABLES.to_owned()));
        }
        let has_changes = self.migration != Migration::FullLoad;
        let control = ControlTables::new(&self.settings, &self.server, &self.resource_id, has_changes);
        control_tables::create(&target, &control).await?;
        self.enter_tables(&tables);
        let tables = Arc::new(tables);
        let stream = if has_changes { Some(self.open_stream(&source, &tables).await?) } else { None };
        let mut parked = std::mem::take(&mut *self.parked.lock().unwrap_or_else(PoisonError::into_inner));
        if self.mode == StartMode::Fresh {
            parked.clear();
        }
        self.mode = StartMode::Resume;
        let look_ups = self.source.connect("AWS DMS look-up").await?;
        let planner = Planner {
            tables: Arc::clone(&tables),
            source: look_ups,
            fails_on_lob_truncation: self.fails_on_lob_truncation,
            prepared: Statements::default(),
            seen: None,
            faults: self.faults.clone(),
        };
        let (settings, progress) = (Arc::clone(&self.settings), Arc::clone(&self.progress));
        let applier = Applier::new(planner, target, settings, control.clone(), progress);
        let (_, no_reloads) = mpsc::unbounded_channel();
        let replication = Replication {
            tables,
            load: Arc::new(self.load_context()),
            stream,
            applier,
            control,
            progress: Arc::clone(&self.progress),
            halt: self.halt.clone(),
            reloads: std::mem::replace(&mut self.reloads, no_reloads),
            stop_position: self.stop_position,
        };
        Ok((replication, parked))
    }

    fn load_context(&self) -> LoadContext {
        LoadContext {
            source: self.source.clone(),
            target: self.target.clone(),
            settings: Arc::clone(&self.settings),
            mappings: self.mappings,
            fails_on_lob_truncation: self.fails_on_lob_truncation,
            progress: Arc::clone(&self.progress),
            faults: self.faults.clone(),
            class: self.class.clone(),
            storage_gib: self.storage_gib,
            reboot: Arc::clone(&self.reboot),
            idle: Mutex::default(),
        }
    }

    /// Name the tables in the task's figures, without touching what an earlier start knows of them.
    fn enter_tables(&self, tables: &[Table]) {
        let mut progress = self.progress.lock();
        if self.mode == StartMode::Fresh {
            progress.tables.clear();
            progress.captured_is_applied();
            progress.table_errors = 0;
            progress.checkpoint = None;
            progress.load_is_over = false;
            progress.full_load_started = None;
            progress.full_load_ended = None;
        }
        let loads = self.migration != Migration::Changes;
        if loads && !progress.load_is_over {
            progress.full_load_started = progress.full_load_started.or(Some(self.clock.epoch_seconds()));
        }
        for table in tables {
            let name = (table.schema.clone(), table.name.clone());
            let is_new = !progress.tables.contains_key(&name);
            let entry = progress.table(&name);
            entry.estimated_rows = table.estimated_rows;
            if !loads && is_new {
                entry.is_live = true;
                entry.state = TableState::Completed;
            }
        }
        if !loads {
            progress.load_is_over = true;
        }
    }

    async fn open_stream(&mut self, source: &Session, tables: &[Table]) -> Result<ChangeStream, Broken> {
        if let Some(refusal) = slot::check_sender_timeout(source).await? {
            return Err(Broken::Fatal(refusal));
        }
        if self.captures_ddl {
            make_ddl_artifacts(source, &self.ddl_schema).await?;
        }
        let (name, position) = match &self.given_slot {
            Some(name) => self.given_position(source, name.clone()).await?,
            None => self.own_slot(source).await?,
        };
        self.progress.lock().read_again_from(position);
        let index: TableIndex = tables
            .iter()
            .enumerate()
            .map(|(number, table)| ((table.schema.clone(), table.name.clone()), number))
            .collect();
        Ok(ChangeStream::open(&self.source, &name, position, Arc::new(index)).await?)
    }

    async fn given_position(&self, source: &Session, name: String) -> Result<(String, Lsn), Broken> {
        let Some(confirmed) = slot::position(source, &name).await? else {
            return Err(Broken::Fatal(format!("replication slot \"{name}\" does not exist")));
        };
        self.progress.lock().slot = Some(Slot { name: name.clone(), is_ours: false });
        let checkpoint = self.progress.lock().checkpoint;
        let wanted = checkpoint.or(self.start_position).unwrap_or(confirmed);
        if wanted < confirmed {
            return Err(Broken::Fatal(format!(
                "start position {wanted} is older than slot \"{name}\", which is at {confirmed}"
            )));
        }
        Ok((name, wanted))
    }

    async fn own_slot(&self, source: &Session) -> Result<(String, Lsn), Broken> {
        let known = self.progress.lock().slot.clone();
        if self.mode == StartMode::Resume
            && let Some(known) = &known
        {
            let Some(confirmed) = slot::position(source, &known.name).await? else {
                return Err(Broken::Fatal(format!("replication slot \"{}\" does not exist", known.name)));
            };
            let checkpoint = self.progress.lock().checkpoint.unwrap_or(confirmed);
            return Ok((known.name.clone(), checkpoint.max(confirmed)));
        }
        if let Some(old) = known {
            slot::drop(source, &old.name, Duration::from_secs(10)).await?;
        }
        let oid: u32 = source
            .query_one("SELECT oid FROM pg_database WHERE datname = current_database()", &[])
            .await
            .map_err(Failure::from)?
            .get(0);
        let name = slot::name(&self.resource_id, oid, uuid::Uuid::new_v4());
        self.progress.lock().slot = Some(Slot { name: name.clone(), is_ours: true });
        let limit = Duration::from_secs(self.settings.full_load_settings.transaction_consistency_timeout);
        let position = slot::create(source, &name, limit).await?;
        Ok((name, position))
    }
}

/// Waits until somebody outside ends the task.
async fn halted(halt: &mut watch::Receiver<Halt>) -> Ending {
    let outcome = halt.wait_for(|halt| *halt != Halt::Run).await.map(|halt| halt.clone());
    match outcome {
        Ok(Halt::Interrupt) => Ending::Interrupted,
        _ => Ending::Stopped(StopReason::Normal),
    }
}

/// DMS's frame around the text of a fatal error.
fn fatal(text: &str) -> String {
    format!("Last Error {text} Stop Reason FATAL_ERROR Error Level FATAL")
}

/// Each DMS version knows the majors of its time.
async fn check_version(session: &Session, side: &str, engine: &str) -> Result<(), Broken> {
    let row = session.query_one("SELECT current_setting('server_version_num')::int4 / 10000", &[]).await;
    let major: i32 = row.map_err(Failure::from)?.get(0);
    if crate::catalog::knows_major(engine, major) {
        return Ok(());
    }
    Err(Broken::Fatal(format!("PostgreSQL version {major} of the {side} is not supported by DMS version {engine}")))
}

/// `CaptureDdls`: a table and an event trigger on the source. An event trigger needs a superuser, which on RDS
/// `rds_superuser` stands for; elsewhere the owner of the source makes them beforehand.
async fn make_ddl_artifacts(source: &Session, schema: &str) -> Result<(), Failure> {
    let there = source
        .query_one("SELECT count(*) FROM pg_event_trigger WHERE evtname = 'awsdms_intercept_ddl'", &[])
        .await?
        .get::<_, i64>(0);
    if there == 0 {
        let statements = include_str!("sql/ddl_artifacts.sql").replace("{schema}", &super::columns::quoted(schema));
        source.batch_execute(&statements).await?;
    }
    Ok(())
}
