//! When users may be interrupted.

use serde::{Deserialize, Serialize};

/// Times of day between which the source may be restarted and the cutover may happen. A run that is ready outside
/// the window waits for it. The restart and the cutover begin only if they, and a rollback, can finish before the
/// window ends. Everything else happens at any time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Window {
    /// Time of day at which the window opens, e.g. `02:00`.
    pub start: String,
    /// Time of day at which the window closes, e.g. `05:00`. If it is not after `start`, it is on the next day.
    pub end: String,
    /// IANA name of the time zone, e.g. `Europe/Berlin`.
    pub time_zone: String,
    /// Days on which the window opens. If it is empty, every day.
    #[serde(default)]
    pub days: Vec<Day>,
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "days of the week")]
pub enum Day {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}
