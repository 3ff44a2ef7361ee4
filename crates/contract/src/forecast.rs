//! The outage that a cutover will cause, as it is forecast.

use serde::{Deserialize, Serialize};

/// What is expected, and what is hardly exceeded.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExpectedOutage {
    /// In milliseconds.
    pub milliseconds: f64,
    /// Upper bound, in milliseconds.
    pub at_most_milliseconds: f64,
}

/// One part of the outage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ForecastPart {
    /// What takes the time, for people.
    pub what: String,
    /// Expected, in milliseconds.
    pub milliseconds: f64,
    /// Upper bound, in milliseconds.
    pub at_most_milliseconds: f64,
}

/// The outage that clients will see: from the last write that was accepted to the next one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Forecast {
    /// Of clients whose session is open when the cutover begins.
    pub connected: ExpectedOutage,
    /// Of clients that open a session while it goes on.
    pub new: ExpectedOutage,
    /// From the first REVOKE to OPEN.
    pub steps: ExpectedOutage,
    /// Until every name server has the change of the record, and caches have dropped the old one.
    pub record: ExpectedOutage,
    /// What the steps consist of.
    pub parts: Vec<ForecastPart>,
}
