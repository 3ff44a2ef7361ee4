//! A task's settings: AWS's defaults, the caller's changes over them, and the ones that the data plane reads.
//!
//! An unknown key is refused, because a mistyped setting that is silently ignored shows only as lost data.

use serde::Deserialize;
use serde_json::{Map, Value};

/// The defaults as DMS gives them back, section by section.
const DEFAULTS: &str = include_str!("default_task_settings.json");

/// Why settings are refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadSettings {
    /// DMS's own text: these two come back but may not be sent.
    #[error("Task Settings CloudWatchLogGroup or CloudWatchLogStream cannot be set on create")]
    LogNamesAreNotYours,
    /// Anything else.
    #[error("Invalid task settings JSON: {0}")]
    Invalid(String),
}

/// The settings that the data plane reads.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct TaskSettings {
    pub(crate) target_metadata: TargetMetadata,
    pub(crate) full_load_settings: FullLoadSettings,
    pub(crate) control_tables_settings: ControlTablesSettings,
    pub(crate) error_behavior: ErrorBehavior,
    pub(crate) change_processing_tuning: ChangeProcessingTuning,
}

/// How large values travel.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct TargetMetadata {
    pub(crate) support_lobs: bool,
    pub(crate) full_lob_mode: bool,
    /// KB.
    pub(crate) lob_max_size: u64,
    /// KB.
    pub(crate) inline_lob_max_size: u64,
    pub(crate) task_recovery_table_enabled: bool,
}

/// How the load runs.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct FullLoadSettings {
    pub(crate) target_table_prep_mode: PrepMode,
    pub(crate) stop_task_cached_changes_applied: bool,
    pub(crate) stop_task_cached_changes_not_applied: bool,
    pub(crate) max_full_load_sub_tasks: usize,
    /// Seconds.
    pub(crate) transaction_consistency_timeout: u64,
    /// Rows.
    pub(crate) commit_rate: usize,
}

/// What happens to a target table before its load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum PrepMode {
    DoNothing,
    DropAndCreate,
    TruncateBeforeLoad,
}

/// Where DMS writes about itself on the target.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ControlTablesSettings {
    pub(crate) control_schema: String,
    /// Minutes.
    pub(crate) history_timeslot_in_minutes: u64,
    pub(crate) history_table_enabled: bool,
    pub(crate) suspended_tables_table_enabled: bool,
    pub(crate) status_table_enabled: bool,
    pub(crate) full_load_exception_table_enabled: bool,
}

/// What a record's or a table's error does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum ErrorPolicy {
    IgnoreRecord,
    LogError,
    SuspendTable,
    StopTask,
    /// Inserts: overwrite the row that is there.
    InsertRecord,
    /// Updates: make the row that is not there.
    UpdateRecord,
}

/// The policies.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ErrorBehavior {
    pub(crate) data_error_policy: ErrorPolicy,
    pub(crate) data_truncation_error_policy: ErrorPolicy,
    pub(crate) data_error_escalation_policy: ErrorPolicy,
    pub(crate) data_error_escalation_count: u64,
    pub(crate) table_error_policy: ErrorPolicy,
    pub(crate) table_error_escalation_policy: ErrorPolicy,
    pub(crate) table_error_escalation_count: u64,
    pub(crate) recoverable_error_count: i64,
    /// Seconds.
    pub(crate) recoverable_error_interval: u64,
    pub(crate) recoverable_error_throttling: bool,
    /// Seconds.
    pub(crate) recoverable_error_throttling_max: u64,
    pub(crate) apply_error_delete_policy: ErrorPolicy,
    pub(crate) apply_error_insert_policy: ErrorPolicy,
    pub(crate) apply_error_update_policy: ErrorPolicy,
    pub(crate) apply_error_escalation_policy: ErrorPolicy,
    pub(crate) apply_error_escalation_count: u64,
    pub(crate) full_load_ignore_conflicts: bool,
    pub(crate) fail_on_no_tables_captured: bool,
}

/// How changes are gathered into target transactions.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ChangeProcessingTuning {
    /// Changes.
    pub(crate) min_transaction_size: usize,
    /// Seconds.
    pub(crate) commit_timeout: u64,
}

/// The whole document of a new task: the defaults with the caller's changes.
pub(crate) fn complete(changes: Option<&str>) -> Result<Value, BadSettings> {
    let defaults = serde_json::from_str(DEFAULTS).expect("the defaults are a JSON document of ours");
    change(&defaults, changes)
}

/// A document with the caller's changes.
pub(crate) fn change(current: &Value, changes: Option<&str>) -> Result<Value, BadSettings> {
    let Some(changes) = changes.filter(|text| !text.trim().is_empty()) else { return Ok(current.clone()) };
    let changes: Value =
        serde_json::from_str(changes).map_err(|error| BadSettings::Invalid(format!("no JSON document: {error}")))?;
    let changes = changes.as_object().ok_or_else(|| BadSettings::Invalid("no JSON object".to_owned()))?;
    for name in ["CloudWatchLogGroup", "CloudWatchLogStream"] {
        if changes.get("Logging").and_then(|logging| logging.get(name)).is_some_and(|value| !value.is_null()) {
            return Err(BadSettings::LogNamesAreNotYours);
        }
    }
    let mut merged = current.clone();
    merge(&mut merged, changes, "")?;
    TaskSettings::read(&merged)?;
    refuse_what_is_not_served(&merged)?;
    Ok(merged)
}

impl TaskSettings {
    /// The part of a whole document that the data plane reads.
    pub(crate) fn read(document: &Value) -> Result<Self, BadSettings> {
        let settings: Self = Self::deserialize(document).map_err(|error| BadSettings::Invalid(error.to_string()))?;
        let load = &settings.full_load_settings;
        if !(1..=49).contains(&load.max_full_load_sub_tasks) {
            return Err(BadSettings::Invalid("MaxFullLoadSubTasks must be between 1 and 49".to_owned()));
        }
        if !(1..=50_000).contains(&load.commit_rate) {
            return Err(BadSettings::Invalid("CommitRate must be between 1 and 50000".to_owned()));
        }
        if load.stop_task_cached_changes_applied && load.stop_task_cached_changes_not_applied {
            return Err(BadSettings::Invalid(
                "StopTaskCachedChangesApplied and StopTaskCachedChangesNotApplied exclude each other".to_owned(),
            ));
        }
        Ok(settings)
    }

    /// The schema of the control tables.
    pub(crate) fn control_schema(&self) -> &str {
        match self.control_tables_settings.control_schema.as_str() {
            "" => "public",
            schema => schema,
        }
    }
}

fn merge(target: &mut Value, changes: &Map<String, Value>, path: &str) -> Result<(), BadSettings> {
    let Value::Object(target) = target else {
        return Err(BadSettings::Invalid(format!("{path} is no section")));
    };
    for (key, value) in changes {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        let Some(current) = target.get_mut(key) else {
            return Err(BadSettings::Invalid(format!("{path} is not known")));
        };
        match (current.is_object(), value) {
            (true, Value::Object(inner)) => merge(current, inner, &path)?,
            (true, Value::Null) => {}
            (true, _) => return Err(BadSettings::Invalid(format!("{path} is a section"))),
            (false, value) => *current = value.clone(),
        }
    }
    Ok(())
}

/// Settings whose effect the stand-in does not have are refused by name, never accepted without effect.
fn refuse_what_is_not_served(document: &Value) -> Result<(), BadSettings> {
    let unserved = [
        ("/TargetMetadata/BatchApplyEnabled", "BatchApplyEnabled"),
        ("/TTSettings/EnableTT", "EnableTT"),
        ("/LoopbackPreventionSettings/EnableLoopbackPrevention", "EnableLoopbackPrevention"),
        ("/ValidationSettings/EnableValidation", "EnableValidation"),
        ("/FullLoadSettings/CreatePkAfterFullLoad", "CreatePkAfterFullLoad"),
    ];
    for (pointer, name) in unserved {
        if document.pointer(pointer) == Some(&Value::Bool(true)) {
            return Err(BadSettings::Invalid(format!("the local stand-in does not serve {name}")));
        }
    }
    if document.pointer("/TargetMetadata/TargetSchema").and_then(Value::as_str).is_some_and(|name| !name.is_empty()) {
        return Err(BadSettings::Invalid("the local stand-in does not serve TargetSchema".to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_those_of_the_documentation() {
        let settings = TaskSettings::read(&complete(None).unwrap()).unwrap();

        assert!(!settings.target_metadata.full_lob_mode);
        assert_eq!(settings.target_metadata.lob_max_size, 32);
        assert_eq!(settings.full_load_settings.target_table_prep_mode, PrepMode::DropAndCreate);
        assert_eq!(settings.full_load_settings.max_full_load_sub_tasks, 8);
        assert_eq!(settings.error_behavior.apply_error_insert_policy, ErrorPolicy::LogError);
        assert_eq!(settings.error_behavior.apply_error_delete_policy, ErrorPolicy::IgnoreRecord);
        assert_eq!(settings.control_schema(), "public");
    }

    #[test]
    fn changes_go_over_the_defaults_and_then_over_each_other() {
        let first = complete(Some(r#"{"TargetMetadata": {"FullLobMode": true}}"#)).unwrap();
        let second = change(&first, Some(r#"{"TargetMetadata": {"LobMaxSize": 64}}"#)).unwrap();

        let settings = TaskSettings::read(&second).unwrap();

        assert!(settings.target_metadata.full_lob_mode);
        assert_eq!(settings.target_metadata.lob_max_size, 64);
    }

    #[test]
    fn what_is_unknown_wrong_or_not_served_is_refused() {
        let cases = [
            (r#"{"TargetMetadata": {"FullLobMod": true}}"#, "TargetMetadata.FullLobMod is not known"),
            (r#"{"Nothing": {}}"#, "Nothing is not known"),
            (r#"{"TargetMetadata": 1}"#, "TargetMetadata is a section"),
            (r#"{"TargetMetadata": {"FullLobMode": "yes"}}"#, "invalid type"),
            (r#"{"ErrorBehavior": {"DataErrorPolicy": "PANIC"}}"#, "unknown variant"),
            (r#"{"FullLoadSettings": {"MaxFullLoadSubTasks": 50}}"#, "between 1 and 49"),
            (r#"{"TargetMetadata": {"BatchApplyEnabled": true}}"#, "does not serve BatchApplyEnabled"),
            (r#"{"Logging": {"CloudWatchLogGroup": "x"}}"#, "cannot be set on create"),
            ("[", "no JSON document"),
        ];

        for (changes, expected) in cases {
            let error = complete(Some(changes)).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
