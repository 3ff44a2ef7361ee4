//! How much memory a task's load takes, as far as its settings say so (AWS documentation, DMS: estimates of memory in
//! full LOB mode go with tables at once and commit rate).

use pgleap_step_kit::prelude::*;
use serde_json::Value;

/// Tables at once and rows of a commit of a task that takes little.
const SMALL: (i64, i64) = (2, 1_000);

/// A task's settings, as it was created with them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Settings(Value);

impl Settings {
    /// DMS answers settings with the log's names in them and refuses those on creation.
    pub(crate) fn read(text: &str) -> StepResult<Self> {
        let mut settings: Value = serde_json::from_str(text)
            .map_err(|error| StepError::bug(format!("read the settings of the task: {error}")))?;
        if let Some(logging) = settings.get_mut("Logging").and_then(Value::as_object_mut) {
            logging.remove("CloudWatchLogGroup");
            logging.remove("CloudWatchLogStream");
        }
        Ok(Self(settings))
    }

    /// As DMS takes them.
    pub(crate) fn text(&self) -> String {
        self.0.to_string()
    }

    /// For people.
    pub(crate) fn appetite(&self) -> String {
        let (tables, rows) = self.figures();
        format!("{tables} tables at once and {rows} rows a commit")
    }

    fn figures(&self) -> (i64, i64) {
        let figure = |name: &str, default| self.0["FullLoadSettings"][name].as_i64().unwrap_or(default);
        (figure("MaxFullLoadSubTasks", 8), figure("CommitRate", 10_000))
    }

    /// The same with a small appetite; none if it is small already.
    pub(crate) fn lowered(&self) -> Option<Self> {
        let (tables, rows) = self.figures();
        if tables <= SMALL.0 && rows <= SMALL.1 {
            return None;
        }
        let mut settings = self.0.clone();
        settings["FullLoadSettings"]["MaxFullLoadSubTasks"] = tables.min(SMALL.0).into();
        settings["FullLoadSettings"]["CommitRate"] = rows.min(SMALL.1).into();
        Some(Self(settings))
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
    fn an_appetite_is_lowered_once() {
        let cases = [
            (r#"{"FullLoadSettings":{"MaxFullLoadSubTasks":8,"CommitRate":10000}}"#, Some((2, 1_000))),
            (r#"{"FullLoadSettings":{"MaxFullLoadSubTasks":1,"CommitRate":5000}}"#, Some((1, 1_000))),
            (r#"{"FullLoadSettings":{"MaxFullLoadSubTasks":2,"CommitRate":1000}}"#, None),
            (r#"{"FullLoadSettings":{}}"#, Some((2, 1_000))),
        ];
        for (text, expected) in cases {
            let lowered = Settings::read(text).expect("settings").lowered();

            assert_eq!(lowered.as_ref().map(Settings::figures), expected, "{text}");
            assert!(lowered.is_none_or(|lowered| lowered.lowered().is_none()), "{text}");
        }
    }
}
