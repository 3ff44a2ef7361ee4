//! When users may be interrupted.

use serde::{Deserialize, Serialize};

/// Times of day between which the source may be restarted and the cutover may happen. A run that is ready outside waits
/// for it; neither begins so late that it, or the way back, would not be over at the end. Everything else of a run happens
/// at any time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Window {
    /// Opens at this time of day, e.g. `02:00`.
    pub start: String,
    /// Closes at this time of day, e.g. `05:00`; the next day's if it is not after `start`.
    pub end: String,
    /// Of which time zone, by its IANA name, e.g. `Europe/Berlin`.
    pub time_zone: String,
    /// Days on which it opens; every day if empty.
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
