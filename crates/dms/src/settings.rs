//! A task's settings, read from DMS and changed: how much memory the load takes, as far as settings say so (AWS
//! documentation, DMS: estimates of memory in full LOB mode go with tables at once and commit rate), and whether the
//! task stops after the load's cached changes.

use pgleap_step_kit::prelude::*;
use serde_json::Value;

/// Values that a reload in limited LOB mode may hold in memory for a table, in KB.
const RELOAD_MEMORY: i64 = 512 * 1024;

/// Tables at once and rows of a commit of a task that takes little.
const SMALL: (i64, i64) = (2, 200);

/// A task's settings, as it was created with them.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings(Value);

impl Settings {
    /// From DMS's answer, which has the log's names in it and refuses those when they are sent back.
    pub fn read(text: &str) -> StepResult<Self> {
        let mut settings: Value = serde_json::from_str(text)
            .map_err(|error| StepError::bug(format!("read the settings of the task: {error}")))?;
        if let Some(logging) = settings.get_mut("Logging").and_then(Value::as_object_mut) {
            logging.remove("CloudWatchLogGroup");
            logging.remove("CloudWatchLogStream");
        }
        Ok(Self(settings))
    }

    /// As DMS takes them.
    pub fn text(&self) -> String {
        self.0.to_string()
    }

    /// For people.
    pub fn appetite(&self) -> String {
        let (tables, rows) = self.figures();
        format!("{tables} tables in parallel and {rows} rows per commit")
    }

    /// Tables at once and rows of a commit.
    pub fn figures(&self) -> (i64, i64) {
        let figure = |name: &str, default| self.0["FullLoadSettings"][name].as_i64().unwrap_or(default);
        (figure("MaxFullLoadSubTasks", 8), figure("CommitRate", 10_000))
    }

    /// The same with a small appetite; none if it is small already.
    pub fn lowered(&self) -> Option<Self> {
        let (tables, rows) = self.figures();
        if tables <= SMALL.0 && rows <= SMALL.1 {
            return None;
        }
        Some(self.with_figures((tables.min(SMALL.0), rows.min(SMALL.1))))
    }

    /// The same with other tables at once and rows of a commit.
    pub fn with_figures(&self, (tables, rows): (i64, i64)) -> Self {
        let mut settings = self.0.clone();
        settings["FullLoadSettings"]["MaxFullLoadSubTasks"] = tables.into();
        settings["FullLoadSettings"]["CommitRate"] = rows.into();
        Self(settings)
    }

    /// For tables that are loaded again in limited LOB mode: a row's values are held whole, so the larger the limit, the
    /// fewer at once.
    pub fn for_reload(&self, kilobytes: u32) -> Self {
        let (tables, rows) = self.figures();
        let most = if kilobytes == 0 { rows } else { (RELOAD_MEMORY / i64::from(kilobytes)).clamp(10, rows.max(10)) };
        self.with_figures((tables.min(SMALL.0), most.min(rows))).stopping_after_cached_changes(false)
    }

    /// Whether the task stops once the changes that came during the load are applied.
    pub fn stops_after_cached_changes(&self) -> bool {
        self.0["FullLoadSettings"]["StopTaskCachedChangesApplied"] == Value::Bool(true)
    }

    /// The same, stopping there or not.
    pub fn stopping_after_cached_changes(&self, stops: bool) -> Self {
        let mut settings = self.0.clone();
        settings["FullLoadSettings"]["StopTaskCachedChangesApplied"] = stops.into();
        Self(settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_were_read_can_be_sent() {
        let read = r#"{"Logging":{"EnableLogging":true,"CloudWatchLogGroup":"g","CloudWatchLogStream":"s"},"A":1}"#;

        assert_eq!(Settings::read(read).expect("settings").text(), r#"{"Logging":{"EnableLogging":true},"A":1}"#);
        assert!(Settings::read("").is_err());
    }

    #[test]
    fn a_reload_holds_few_large_values_at_once_and_does_not_stop_by_itself() {
        let text =
            r#"{"FullLoadSettings":{"MaxFullLoadSubTasks":8,"CommitRate":10000,"StopTaskCachedChangesApplied":true}}"#;
        let usual = Settings::read(text).expect("settings");

        for (kilobytes, rows) in [(0, 10_000), (1, 10_000), (1_024, 512), (80_000, 10)] {
            let reload = usual.for_reload(kilobytes);

            assert_eq!((reload.figures(), reload.stops_after_cached_changes()), ((2, rows), false), "{kilobytes} KB");
            let again = reload.with_figures(usual.figures()).stopping_after_cached_changes(true);
            assert_eq!(again, usual);
        }
    }

    #[test]
    fn an_appetite_is_lowered_once() {
        let cases = [
            (r#"{"FullLoadSettings":{"MaxFullLoadSubTasks":8,"CommitRate":1000}}"#, Some((2, 200))),
            (r#"{"FullLoadSettings":{"MaxFullLoadSubTasks":1,"CommitRate":5000}}"#, Some((1, 200))),
            (r#"{"FullLoadSettings":{"MaxFullLoadSubTasks":2,"CommitRate":200}}"#, None),
            (r#"{"FullLoadSettings":{}}"#, Some((2, 200))),
        ];
        for (text, expected) in cases {
            let lowered = Settings::read(text).expect("settings").lowered();

            assert_eq!(lowered.as_ref().map(Settings::figures), expected, "{text}");
            assert!(lowered.is_none_or(|lowered| lowered.lowered().is_none()), "{text}");
        }
    }
}
