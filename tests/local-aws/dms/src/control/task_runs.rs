//! Tasks as something that runs: started, stopped, interrupted with their instance, told to load tables again.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use local_aws_core::{ApiError, Call, Reply};
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};

use super::errors::{invalid_combination, invalid_state, invalid_value};
use super::records::{Endpoint, Records, RunHandles, Task};
use super::service::Inner;
use super::tasks::{self, missing, parse_stop_position, start_position, stop_position, tell_of};
use super::{connections, endpoints, events, instances};
use crate::data::columns::TypeMappings;
use crate::data::mapping::TableMapping;
use crate::data::settings::{PrepMode, TaskSettings};
use crate::data::statistics::TableState;
use crate::data::task::{Ending, Halt, Migration, StartMode, StopReason, TaskRun};

const START: Duration = Duration::from_secs(20);
const STOP: Duration = Duration::from_secs(10);
/// Tables in one ReloadTables request.
const MOST_RELOADS: usize = 10;

pub(crate) fn start(dms: &Arc<Inner>, call: &Call) -> Reply {
    let arn = call.required("ReplicationTaskArn")?.to_owned();
    let kind = call.required("StartReplicationTaskType")?.to_owned();
    let position = start_position(call)?;
    stop_position(call)?;
    let mut records = dms.records();
    let task = tasks::find(&records, &arn)?;
    may_start(task, &kind)?;
    instances::must_be_available(instances::find(&records, &task.instance)?)?;
    if dms.faults.forgets_connection_test() {
        let instance = task.instance.clone();
        records.connections.retain(|(of, _), _| *of != instance);
    }
    let task = tasks::find(&records, &arn)?;
    for endpoint in [&task.source, &task.target] {
        connections::must_be_successful(&records, &task.instance, endpoint)?;
    }
    let task = records.tasks.get_mut(&arn).ok_or_else(|| missing(&arn))?;
    if let Some((position, text)) = position {
        task.start_position = Some(position);
        task.start_position_text = Some(text.to_owned());
    }
    if let Some(text) = call.str("CdcStopPosition") {
        task.stop_position = Some(text.to_owned());
    }
    let mode = if kind == "resume-processing" { StartMode::Resume } else { StartMode::Fresh };
    let now = dms.now();
    if mode == StartMode::Fresh {
        task.fresh_start = Some(now);
    }
    task.started = Some(now);
    task.stopped = None;
    task.stop_reason = None;
    task.failure = None;
    task.status = "starting";
    let answer = task.json(true);
    let empties = kind == "reload-target";
    launch(dms, &mut records, &arn, mode, empties)?;
    Ok(json!({ "ReplicationTask": answer }))
}

/// Whether a task in this state can be started so.
fn may_start(task: &Task, kind: &str) -> Result<(), ApiError> {
    if !["ready", "stopped", "failed"].contains(&task.status) {
        return Err(invalid_state("Replication Task cannot be started, invalid state"));
    }
    let ran_before = task.fresh_start.is_some();
    let follows_position = task.migration == Migration::Changes && task.start_position.is_some();
    match kind {
        "start-replication" if ran_before && !follows_position => {
            Err(invalid_combination("Start Type : START_REPLICATION, valid only for tasks running for the first time"))
        }
        "resume-processing" if !ran_before => {
            Err(invalid_combination("Start Type : RESUME_PROCESSING, valid only for tasks that ran before"))
        }
        "reload-target" if !ran_before || task.migration == Migration::Changes => Err(invalid_combination(
            "Start Type : RELOAD_TARGET, valid only for tasks with a full load that ran before",
        )),
        "start-replication" | "resume-processing" | "reload-target" => Ok(()),
        other => Err(invalid_value(format!("Invalid start type {other}."))),
    }
}

/// Give the task to the data plane.
fn launch(
    dms: &Arc<Inner>,
    records: &mut Records,
    arn: &str,
    mode: StartMode,
    empties_target: bool,
) -> Result<(), ApiError> {
    let (halt, halted) = watch::channel(Halt::Run);
    let (reloads, reload_requests) = mpsc::unbounded_channel();
    let run = describe_run(dms, records, arn, mode, empties_target, halted, reload_requests)?;
    let task = records.tasks.get_mut(arn).ok_or_else(|| missing(arn))?;
    task.run = Some(RunHandles { halt, reloads });
    let (background, arn, name) = (Arc::clone(dms), arn.to_owned(), task.identifier.clone());
    dms.spawn(async move {
        background.clock.sleep(START).await;
        let started_in = Arc::clone(&background);
        let started_arn = arn.clone();
        let started = move || {
            if let Some(task) = started_in.records().tasks.get_mut(&started_arn)
                && task.status == "starting"
            {
                task.status = "running";
            }
        };
        let flag = if mode == StartMode::Fresh { "fresh start" } else { "resume" };
        tell_of(
            &background,
            &arn,
            &name,
            "DMS-EVENT-0069",
            "REPLICATION_TASK_STARTED",
            "StateChange",
            &format!("Replication task started, with flag = {flag}"),
        );
        let ending = run.run(started).await;
        end(&background, &arn, &name, ending).await;
    });
    Ok(())
}

fn describe_run(
    dms: &Arc<Inner>,
    records: &Records,
    arn: &str,
    mode: StartMode,
    empties_target: bool,
    halt: watch::Receiver<Halt>,
    reloads: mpsc::UnboundedReceiver<crate::data::statistics::TableName>,
) -> Result<TaskRun, ApiError> {
    let task = tasks::find(records, arn)?;
    let instance = instances::find(records, &task.instance)?;
    let (source, target) = (endpoints::find(records, &task.source)?, endpoints::find(records, &task.target)?);
    let mapping = TableMapping::parse(&task.mappings).map_err(ApiError::internal)?;
    let mut settings = TaskSettings::read(&task.settings).map_err(ApiError::internal)?;
    let prep_mode = &mut settings.full_load_settings.target_table_prep_mode;
    if empties_target && *prep_mode == PrepMode::DoNothing {
        *prep_mode = PrepMode::TruncateBeforeLoad;
    }
    Ok(TaskRun {
        resource_id: task.resource_id.clone(),
        server: instance.identifier.clone(),
        class: instance.class.clone(),
        storage_gib: instance.storage_gib(),
        reboot: rebooter(dms, &task.instance),
        engine: instance.engine.clone(),
        migration: task.migration,
        mode,
        mapping: Arc::new(mapping),
        settings: Arc::new(settings),
        mappings: type_mappings(source, target),
        fails_on_lob_truncation: source.flag("FailTasksOnLobTruncation", false),
        captures_ddl: source.flag("CaptureDdls", true),
        ddl_schema: source.text("DdlArtifactsSchema").unwrap_or_else(|| "public".to_owned()),
        given_slot: source.text("SlotName").or_else(|| source.attribute("slotName")),
        start_position: task.start_position,
        stop_position: task.stop_position.as_deref().map(parse_stop_position).transpose()?,
        source: source.access(dms, records, instance.address),
        target: target.access(dms, records, instance.address),
        progress: Arc::clone(&task.progress),
        parked: Arc::clone(&task.parked),
        faults: dms.faults.clone(),
        clock: dms.clock,
        halt,
        reloads,
    })
}

/// From inside a load, which must not wait for the records that it is described in.
fn rebooter(dms: &Arc<Inner>, instance: &str) -> Arc<dyn Fn() + Send + Sync> {
    let (dms, instance) = (Arc::downgrade(dms), instance.to_owned());
    Arc::new(move || {
        let Some(dms) = dms.upgrade() else { return };
        let (background, instance) = (Arc::clone(&dms), instance.clone());
        dms.spawn(async move {
            if let Err(error) = instances::restart(&background, &instance) {
                tracing::warn!(%error, "restart the replication instance as planned: refused");
            }
        });
    })
}

fn type_mappings(source: &Endpoint, target: &Endpoint) -> TypeMappings {
    let both = |member: &str| source.flag(member, false) && target.flag(member, false);
    TypeMappings {
        boolean_as_boolean: both("MapBooleanAsBoolean"),
        unbounded_numeric_as_string: both("MapUnboundedNumericAsString"),
        unbounded_varchar_max: source
            .attribute("unboundedVarcharMaxSize")
            .and_then(|size| size.parse().ok())
            .unwrap_or(8000),
    }
}

/// Write down how a run ended.
async fn end(dms: &Arc<Inner>, arn: &str, name: &str, ending: Ending) {
    let stopping = {
        let mut records = dms.records();
        let Some(task) = records.tasks.get_mut(arn) else { return };
        task.run = None;
        task.status == "stopping"
    };
    let ending = match ending {
        Ending::Interrupted if stopping => Ending::Stopped(StopReason::Normal),
        Ending::Interrupted => return resume_if_possible(dms, arn),
        other => other,
    };
    if stopping {
        dms.clock.sleep(STOP).await;
    }
    let failed = {
        let mut records = dms.records();
        let Some(task) = records.tasks.get_mut(arn) else { return };
        task.stopped = Some(dms.now());
        let instance = task.instance.clone();
        if ending == Ending::Stopped(StopReason::LowDisk)
            && let Some(instance) = records.instances.get_mut(&instance)
        {
            instance.status = "storage-full";
        }
        let Some(task) = records.tasks.get_mut(arn) else { return };
        match &ending {
            Ending::Stopped(reason) => {
                task.status = "stopped";
                task.stop_reason = Some(reason.text().to_owned());
                None
            }
            Ending::Failed(text) => {
                task.status = "failed";
                task.stop_reason = Some(text.clone());
                task.failure = Some(text.clone());
                Some(text.clone())
            }
            Ending::Interrupted => None,
        }
    };
    match (failed, ending) {
        (Some(message), _) => events::tell(
            dms,
            events::Happened {
                about: events::About::Task,
                arn,
                identifier: name,
                id: None,
                kind: "REPLICATION_TASK_FAILED",
                category: "Failure",
                message,
            },
        ),
        (None, Ending::Stopped(reason)) => {
            tell_of(dms, arn, name, "DMS-EVENT-0079", "REPLICATION_TASK_STOPPED", "StateChange", reason.text());
        }
        (None, _) => {}
    }
}

pub(crate) fn stop(dms: &Arc<Inner>, call: &Call) -> Reply {
    let arn = call.required("ReplicationTaskArn")?;
    let mut records = dms.records();
    let task = records.tasks.get_mut(arn).ok_or_else(|| missing(arn))?;
    if task.status != "running" {
        return Err(invalid_state("Replication Task cannot be stopped, invalid state"));
    }
    task.status = "stopping";
    if let Some(run) = &task.run {
        run.halt.send_replace(Halt::Stop);
    }
    Ok(json!({ "ReplicationTask": task.json(true) }))
}

/// The instance goes down: its running tasks lose their process.
pub(crate) fn interrupt(dms: &Inner, instance: &str) {
    for task in dms.records().tasks.values().filter(|task| task.instance == instance) {
        if let Some(run) = &task.run {
            run.halt.send_replace(Halt::Interrupt);
        }
    }
}

/// The instance is back: tasks that ran go on by themselves.
pub(crate) fn resume_interrupted(dms: &Arc<Inner>, instance: &str) {
    let records = dms.records();
    let interrupted: Vec<String> = records
        .tasks
        .values()
        .filter(|task| task.instance == instance && task.run.is_none())
        .filter(|task| ["starting", "running"].contains(&task.status))
        .map(|task| task.arn.clone())
        .collect();
    drop(records);
    for arn in interrupted {
        resume_if_possible(dms, &arn);
    }
}

/// Go on with a task whose instance is there; otherwise the instance's return will.
fn resume_if_possible(dms: &Arc<Inner>, arn: &str) {
    let mut records = dms.records();
    let Ok(task) = tasks::find(&records, arn) else { return };
    if !instances::find(&records, &task.instance).is_ok_and(|instance| instance.status == "available") {
        return;
    }
    if let Err(error) = launch(dms, &mut records, arn, StartMode::Resume, false) {
        tracing::warn!(%error, arn, "resume task after its instance: refused");
    }
}

pub(crate) fn reload_tables(dms: &Arc<Inner>, call: &Call) -> Reply {
    let arn = call.required("ReplicationTaskArn")?.to_owned();
    let empty = Vec::new();
    let asked = call.input.get("TablesToReload").and_then(Value::as_array).unwrap_or(&empty);
    if asked.is_empty() || asked.len() > MOST_RELOADS {
        return Err(invalid_value(format!("The number of tables to reload must be between 1 and {MOST_RELOADS}.")));
    }
    let mut names = HashSet::new();
    for table in asked {
        let text = |member: &str| table.get(member).and_then(Value::as_str).unwrap_or_default().to_owned();
        let name = (text("SchemaName"), text("TableName"));
        if !names.insert(name.clone()) {
            return Err(invalid_value(format!("Table {}.{} is named twice.", name.0, name.1)));
        }
    }
    let records = dms.records();
    let task = tasks::find(&records, &arn)?;
    let Some(run) = task.run.as_ref().filter(|_| task.status == "running") else {
        return Err(invalid_state("Replication Task must be running to reload tables"));
    };
    if task.migration == Migration::Changes {
        return Err(invalid_state("Tables cannot be reloaded in a task without full load"));
    }
    if call.str("ReloadOption") == Some("validate-only") {
        return Err(invalid_state("Validation is not enabled for the replication task"));
    }
    let mut progress = task.progress.lock();
    if let Some(unknown) = names.iter().find(|name| !progress.tables.contains_key(*name)) {
        return Err(invalid_value(format!("Table {}.{} is not part of the task.", unknown.0, unknown.1)));
    }
    for name in names {
        progress.table(&name).state = TableState::Reloading;
        let _task_just_ended = run.reloads.send(name);
    }
    drop(progress);
    let identifier = task.identifier.clone();
    drop(records);
    tell_of(
        dms,
        &arn,
        &identifier,
        "DMS-EVENT-0081",
        "REPLICATION_TASK_RELOAD_TABLES",
        "State Change",
        "A reload of table details has been requested.",
    );
    Ok(json!({ "ReplicationTaskArn": arn }))
}
