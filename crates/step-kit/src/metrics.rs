//! Figures as CloudWatch metrics, in the embedded metric format: a log line from which CloudWatch takes metrics, so a step
//! needs neither a right nor a way to it (Amazon CloudWatch user guide, "Specification: Embedded metric format").

use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use pgleap_contract::Run;
use serde_json::{Map, Value, json};

const NAMESPACE: &str = "pgleap";

/// A unit of CloudWatch's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A number of things.
    Count,
    /// Bytes.
    Bytes,
    /// Bytes a second.
    BytesPerSecond,
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Milliseconds,
    /// Of a hundred.
    Percent,
    /// Nothing that is measured.
    None,
}

impl Unit {
    fn word(self) -> &'static str {
        match self {
            Unit::Count => "Count",
            Unit::Bytes => "Bytes",
            Unit::BytesPerSecond => "Bytes/Second",
            Unit::Seconds => "Seconds",
            Unit::Milliseconds => "Milliseconds",
            Unit::Percent => "Percent",
            Unit::None => "None",
        }
    }
}

/// A figure by its name.
pub type Metric = (&'static str, Unit, f64);

/// Write a line with these figures: by run, and by source for the dashboard and the alarms, which outlive a run.
pub fn tell(run: &Run, metrics: &[Metric]) {
    tell_of(run.id.as_str(), run.stack_instance(), metrics);
}

pub(crate) fn tell_of(run: &str, source: &str, metrics: &[Metric]) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    let line = line(run, source, u64::try_from(now).unwrap_or(u64::MAX), metrics);
    // A figure that nobody hears of is no reason to fail.
    let _lost = writeln!(std::io::stdout().lock(), "{line}");
}

fn line(run: &str, source: &str, now_milliseconds: u64, metrics: &[Metric]) -> Value {
    let named: Vec<Value> =
        metrics.iter().map(|(name, unit, _)| json!({ "Name": name, "Unit": unit.word() })).collect();
    let mut members = Map::new();
    members.insert(
        "_aws".to_owned(),
        json!({
            "Timestamp": now_milliseconds,
            "CloudWatchMetrics": [{ "Namespace": NAMESPACE, "Dimensions": [["runId"], ["source"]], "Metrics": named }],
        }),
    );
    members.insert("runId".to_owned(), json!(run));
    members.insert("source".to_owned(), json!(source));
    members.extend(metrics.iter().map(|(name, _, value)| ((*name).to_owned(), json!(value))));
    Value::Object(members)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_the_form_that_cloudwatch_reads() {
        let line = line(
            "orders-18",
            "orders-db",
            1_700_000_000_123,
            &[("LagBytes", Unit::Bytes, 5.0), ("RowsDone", Unit::Count, 7.5)],
        );

        let expected = json!({
            "_aws": {
                "Timestamp": 1_700_000_000_123_u64,
                "CloudWatchMetrics": [{
                    "Namespace": "pgleap",
                    "Dimensions": [["runId"], ["source"]],
                    "Metrics": [{ "Name": "LagBytes", "Unit": "Bytes" }, { "Name": "RowsDone", "Unit": "Count" }],
                }],
            },
            "runId": "orders-18",
            "source": "orders-db",
            "LagBytes": 5.0,
            "RowsDone": 7.5,
        });
        assert_eq!(line, expected);
        assert!(!line.to_string().contains('\n'));
    }
}
