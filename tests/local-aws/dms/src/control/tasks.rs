//! Replication tasks as records: created, changed, described, deleted. Starting and stopping is [`super::task_runs`].

use std::sync::Arc;
use std::time::Duration;

use local_aws_core::{ApiError, Call, Reply};
use serde_json::{Value, json};

use super::errors::{already_exists, invalid_combination, invalid_state, invalid_value, not_found};
use super::events::{About, Happened, tell};
use super::filters::{Item, Rules, select};
use super::identifiers::{arn, identifier, resource_id};
use super::quotas::{Quota, refuse_one_more};
use super::records::{Records, Task, present};
use super::service::Inner;
use super::{endpoints, instances, tags};
use crate::data::lsn::Lsn;
use crate::data::mapping::TableMapping;
use crate::data::settings;
use crate::data::slot;
use crate::data::task::Migration;

const CREATION: Duration = Duration::from_secs(20);
const CHANGE: Duration = Duration::from_secs(5);
const DELETION: Duration = Duration::from_secs(30);

const RULES: Rules = Rules {
    kind: "Replication Task",
    filters: &[
        "replication-task-arn",
        "replication-task-id",
        "migration-type",
        "endpoint-arn",
        "replication-instance-arn",
    ],
    largest_page: 100,
    misses_are_errors: true,
};

pub(crate) fn create(dms: &Arc<Inner>, call: &Call) -> Reply {
    let identifier = identifier(call, "ReplicationTaskIdentifier", 255)?;
    let mappings = call.required("TableMappings")?.to_owned();
    TableMapping::parse(&mappings)
        .map_err(|error| invalid_value(format!("Invalid table mappings document. {error}")))?;
    let mut settings = settings::complete(call.str("ReplicationTaskSettings")).map_err(bad_settings)?;
    let migration = migration(call.required("MigrationType")?)?;
    let start = start_position(call)?;
    stop_position(call)?;
    let resource_id = resource_id(call)?;
    let mut records = dms.records();
    if records.tasks.values().any(|task| task.identifier == identifier) {
        return Err(already_exists("Replication Task", &identifier));
    }
    refuse_one_more(&records, Quota::Tasks)?;
    let source = call.required("SourceEndpointArn")?.to_owned();
    let target = call.required("TargetEndpointArn")?.to_owned();
    let instance = call.required("ReplicationInstanceArn")?.to_owned();
    for (endpoint, kind) in [(&source, "SOURCE"), (&target, "TARGET")] {
        if endpoints::find(&records, endpoint)?.kind != kind {
            return Err(invalid_value(format!("Endpoint {endpoint} is not a {} endpoint.", kind.to_lowercase())));
        }
    }
    let server = instances::find(&records, &instance)?;
    instances::must_be_available(server)?;
    settings["Logging"]["CloudWatchLogGroup"] = json!(format!("dms-tasks-{}", server.identifier));
    settings["Logging"]["CloudWatchLogStream"] = json!(format!("dms-task-{resource_id}"));
    let task = Task {
        arn: arn("task", &resource_id),
        resource_id,
        identifier,
        source,
        target,
        instance,
        migration,
        mappings,
        settings,
        status: "creating",
        stop_reason: None,
        failure: None,
        start_position: start.map(|(position, _)| position),
        start_position_text: start.map(|(_, text)| text.to_owned()),
        stop_position: call.str("CdcStopPosition").map(str::to_owned),
        created: dms.now(),
        fresh_start: None,
        started: None,
        stopped: None,
        progress: Arc::default(),
        parked: Arc::default(),
        run: None,
    };
    let answer = task.json(true);
    let arn = task.arn.clone();
    let name = task.identifier.clone();
    records.tasks.insert(arn.clone(), task);
    tags::set_on_create(&mut records, &arn, call);
    drop(records);
    dms.later(CREATION, move |dms| {
        if let Some(task) = dms.records().tasks.get_mut(&arn) {
            task.status = "ready";
        }
        tell_of(
            dms,
            &arn,
            &name,
            "DMS-EVENT-0074",
            "REPLICATION_TASK_CREATED",
            "Creation",
            "The replication task has been created.",
        );
    });
    Ok(json!({ "ReplicationTask": answer }))
}

pub(crate) fn modify(dms: &Arc<Inner>, call: &Call) -> Reply {
    let arn = call.required("ReplicationTaskArn")?.to_owned();
    let start = start_position(call)?;
    stop_position(call)?;
    let mut records = dms.records();
    let task = records.tasks.get_mut(&arn).ok_or_else(|| missing(&arn))?;
    if !["ready", "stopped", "failed"].contains(&task.status) {
        return Err(invalid_state(format!(
            "Replication Task, excluding logging severity task settings, cannot be modified while it is {} state",
            task.status
        )));
    }
    if call.str("MigrationType").is_some_and(|wanted| migration(wanted).ok() != Some(task.migration)) {
        return Err(invalid_combination("The migration type of a task cannot be changed."));
    }
    if let Some(mappings) = call.str("TableMappings") {
        TableMapping::parse(mappings)
            .map_err(|error| invalid_value(format!("Invalid table mappings document. {error}")))?;
        mappings.clone_into(&mut task.mappings);
    }
    task.settings = settings::change(&task.settings, call.str("ReplicationTaskSettings")).map_err(bad_settings)?;
    if let Some((position, text)) = start {
        task.start_position = Some(position);
        task.start_position_text = Some(text.to_owned());
    }
    if let Some(position) = call.str("CdcStopPosition") {
        task.stop_position = Some(position.to_owned());
    }
    let before = task.status;
    task.status = "modifying";
    let answer = task.json(true);
    let name = task.identifier.clone();
    drop(records);
    dms.later(CHANGE, move |dms| {
        if let Some(task) = dms.records().tasks.get_mut(&arn) {
            task.status = before;
        }
        tell_of(
            dms,
            &arn,
            &name,
            "DMS-EVENT-0080",
            "REPLICATION_TASK_MODIFIED",
            "Configuration Change",
            "Replication task modified.",
        );
    });
    Ok(json!({ "ReplicationTask": answer }))
}

pub(crate) fn describe(dms: &Arc<Inner>, call: &Call) -> Reply {
    let with_settings = !call.flag("WithoutSettings");
    let items = dms
        .records()
        .tasks
        .values()
        .map(|task| Item {
            value: task.json(with_settings),
            names: vec![
                ("replication-task-arn", task.arn.clone()),
                ("replication-task-id", task.identifier.clone()),
                ("migration-type", migration_text(task.migration).to_owned()),
                ("endpoint-arn", task.source.clone()),
                ("endpoint-arn", task.target.clone()),
                ("replication-instance-arn", task.instance.clone()),
            ],
        })
        .collect();
    let page = select(call, items, &RULES)?;
    Ok(present(json!({"ReplicationTasks": page.items, "Marker": page.marker})))
}

pub(crate) fn delete(dms: &Arc<Inner>, call: &Call) -> Reply {
    let arn = call.required("ReplicationTaskArn")?.to_owned();
    let mut records = dms.records();
    let task = find(&records, &arn)?;
    if !["ready", "stopped", "failed"].contains(&task.status) {
        return Err(invalid_state(format!(
            "Replication Task {arn} cannot be deleted while it is {} state",
            task.status
        )));
    }
    let from = instances::find(&records, &task.instance)?.address;
    let source = endpoints::find(&records, &task.source)?.access(dms, &records, from);
    let slot = task.progress.lock().slot.clone().filter(|slot| slot.is_ours);
    let name = task.identifier.clone();
    let task = records.tasks.get_mut(&arn).ok_or_else(|| missing(&arn))?;
    task.status = "deleting";
    let answer = task.json(true);
    drop(records);
    let background = Arc::clone(dms);
    dms.spawn(async move {
        background.clock.sleep(DELETION).await;
        if let Some(slot) = slot
            && let Err(failure) = drop_slot(&source, &slot.name).await
        {
            let text = format!("Replication task deletion failed to clean up task resources: {}", failure.odbc_text());
            tell_of(&background, &arn, &name, "DMS-EVENT-0082", "REPLICATION_TASK_CLEANUP_FAILED", "Failure", &text);
        }
        {
            let mut records = background.records();
            records.tasks.remove(&arn);
            records.tags.remove(&arn);
        }
        tell_of(
            &background,
            &arn,
            &name,
            "DMS-EVENT-0073",
            "REPLICATION_TASK_DELETED",
            "Deletion",
            "The replication task has been deleted.",
        );
    });
    Ok(json!({ "ReplicationTask": answer }))
}

async fn drop_slot(source: &crate::data::access::Access, name: &str) -> Result<(), crate::data::failure::Failure> {
    let session = source.connect("AWS DMS").await?;
    slot::drop(&session, name, Duration::from_secs(10)).await
}

/// The task behind an ARN.
pub(crate) fn find<'a>(records: &'a Records, arn: &str) -> Result<&'a Task, ApiError> {
    records.tasks.get(arn).ok_or_else(|| missing(arn))
}

pub(crate) fn missing(arn: &str) -> ApiError {
    not_found(format!("Replication Task {arn} not found."))
}

/// Tell of a task.
pub(crate) fn tell_of(
    dms: &Inner,
    arn: &str,
    identifier: &str,
    id: &'static str,
    kind: &'static str,
    category: &'static str,
    message: &str,
) {
    let message = message.to_owned();
    tell(dms, Happened { about: About::Task, arn, identifier, id: Some(id), kind, category, message });
}

fn bad_settings(error: settings::BadSettings) -> ApiError {
    invalid_value(error.to_string())
}

fn migration(text: &str) -> Result<Migration, ApiError> {
    match text {
        "full-load" => Ok(Migration::FullLoad),
        "cdc" => Ok(Migration::Changes),
        "full-load-and-cdc" => Ok(Migration::FullLoadAndChanges),
        other => Err(invalid_value(format!("Invalid migration type {other}."))),
    }
}

fn migration_text(migration: Migration) -> &'static str {
    match migration {
        Migration::FullLoad => "full-load",
        Migration::Changes => "cdc",
        Migration::FullLoadAndChanges => "full-load-and-cdc",
    }
}

/// `CdcStartPosition`: a position of the log. Times do not work for PostgreSQL.
pub(crate) fn start_position(call: &Call) -> Result<Option<(Lsn, &str)>, ApiError> {
    let time = call.input.get("CdcStartTime").is_some_and(|value| !value.is_null());
    match (time, call.str("CdcStartPosition")) {
        (true, Some(_)) => {
            Err(invalid_combination("CdcStartTime and CdcStartPosition cannot be specified at the same time."))
        }
        (true, None) => Err(invalid_value("CdcStartTime is not supported for a PostgreSQL source endpoint.")),
        (false, None) => Ok(None),
        (false, Some(text)) => Lsn::from_start_position(text)
            .map(|position| Some((position, text)))
            .map_err(|_| invalid_value(format!("Invalid CDC start position {text}."))),
    }
}

/// `CdcStopPosition`: its kind and its time in epoch seconds.
pub(crate) fn stop_position(call: &Call) -> Result<Option<crate::data::task::StopPosition>, ApiError> {
    call.str("CdcStopPosition").map(parse_stop_position).transpose()
}

pub(crate) fn parse_stop_position(text: &str) -> Result<crate::data::task::StopPosition, ApiError> {
    use crate::data::task::StopPosition;
    use time::macros::format_description;

    let refuse = || invalid_value(format!("Invalid CDC stop position {text}."));
    let (kind, moment) = text.split_once(':').ok_or_else(refuse)?;
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]");
    let at = time::PrimitiveDateTime::parse(moment.trim(), format).map_err(|_| refuse())?.assume_utc();
    let at = at.unix_timestamp() as f64;
    match kind {
        "server_time" => Ok(StopPosition::ServerTime(at)),
        "commit_time" => Ok(StopPosition::CommitTime(at)),
        _ => Err(refuse()),
    }
}

impl Task {
    /// As a describe call shows it.
    pub(crate) fn json(&self, with_settings: bool) -> Value {
        let progress = self.progress.lock();
        let tally = progress.tally();
        let now = self.stopped.or(self.started);
        let elapsed = match (self.started, self.run.is_some(), now) {
            (Some(started), true, _) => epoch_now() - started,
            (Some(started), false, Some(stopped)) => (stopped - started).max(0.0),
            _ => 0.0,
        };
        let stats = present(json!({
            "FullLoadProgressPercent": progress.percent(),
            "ElapsedTimeMillis": (elapsed * 1000.0) as i64,
            "TablesLoaded": tally.loaded, "TablesLoading": tally.loading,
            "TablesQueued": tally.queued, "TablesErrored": tally.errored,
            "FreshStartDate": self.fresh_start, "StartDate": self.started, "StopDate": self.stopped,
            "FullLoadStartDate": progress.full_load_started, "FullLoadFinishDate": progress.full_load_ended,
        }));
        present(json!({
            "ReplicationTaskIdentifier": self.identifier,
            "SourceEndpointArn": self.source,
            "TargetEndpointArn": self.target,
            "ReplicationInstanceArn": self.instance,
            "MigrationType": migration_text(self.migration),
            "TableMappings": with_settings.then_some(&self.mappings),
            "ReplicationTaskSettings": with_settings.then(|| self.settings.to_string()),
            "Status": self.status,
            "LastFailureMessage": self.failure,
            "StopReason": self.stop_reason,
            "ReplicationTaskCreationDate": self.created,
            "ReplicationTaskStartDate": self.started,
            "CdcStartPosition": self.start_position_text,
            "CdcStopPosition": self.stop_position,
            "RecoveryCheckpoint": progress.checkpoint.map(Lsn::checkpoint),
            "ReplicationTaskArn": self.arn,
            "ReplicationTaskStats": self.started.map(|_| stats),
        }))
    }
}

fn epoch_now() -> f64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0.0, |since| since.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::task::StopPosition;

    #[test]
    fn stop_positions_are_read() {
        assert_eq!(parse_stop_position("server_time:1970-01-01T00:01:00").unwrap(), StopPosition::ServerTime(60.0));
        assert_eq!(parse_stop_position("commit_time: 1970-01-01T00:00:01").unwrap(), StopPosition::CommitTime(1.0));
        for text in ["", "server_time", "lsn:1970-01-01T00:00:01", "server_time:now"] {
            assert_eq!(parse_stop_position(text).unwrap_err().code, "InvalidParameterValueException", "{text}");
        }
    }

    #[test]
    fn start_positions_exclude_times() {
        let ask = |input: Value| start_position(&Call::new("CreateReplicationTask", input)).map(|_| ());

        assert!(ask(json!({"CdcStartPosition": "4AF/B00000D0"})).is_ok());
        let both = json!({"CdcStartPosition": "4AF/B00000D0", "CdcStartTime": 1});
        assert_eq!(ask(both).unwrap_err().code, "InvalidParameterCombinationException");
        assert!(ask(json!({"CdcStartTime": 1})).is_err());
        assert!(ask(json!({"CdcStartPosition": "2024-01-01"})).is_err());
    }
}
