//! pgleap's ways: a rehearsal in a process of its own, and its report.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::trial::{Measured, Parameters, is_compared};
use crate::process::run_child;
use crate::proof::OBSERVER;

/// Longest rehearsal. With realistic propagation, one takes about three minutes.
const LONGEST: Duration = Duration::from_secs(900);

/// Rehearse with this input and read the report.
pub(super) async fn measure(input: &Value, parameters: &Parameters, folder: &Path) -> Result<Measured> {
    std::fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
    let file = folder.join("input.json");
    std::fs::write(&file, input.to_string()).with_context(|| format!("write {}", file.display()))?;
    let mut options = parameters.options();
    options.extend(["--input-file".to_owned(), file.display().to_string()]);
    let child = run_child(&options, folder, LONGEST).await?;
    match measured(&child.report) {
        Some(measured) => Ok(measured),
        None => bail!("the rehearsal did not upgrade: {}; see {}", child.report["error"], folder.display()),
    }
}

/// None if the machine did not succeed. What the rehearsal found wrong otherwise is a note.
fn measured(report: &Value) -> Option<Measured> {
    if report["machine"]["status"] != "SUCCEEDED" {
        return None;
    }
    let (outage, clients) = (&report["outage"], &report["clients"]);
    let count = |value: &Value| value.as_u64().unwrap_or_default();
    let broken = clients["invariants"].as_array()?.iter().filter(|invariant| invariant["holds"] == false);
    let refusals = &outage["refusals"];
    let parts = outage["madeOf"].as_array().into_iter().flatten();
    let held = parts.filter(|part| part["name"] == OBSERVER).filter_map(|part| part["seconds"].as_f64());
    Some(Measured {
        connected_seconds: serde_json::from_value(outage["connectedSeconds"].clone()).ok()?,
        visiting_seconds: serde_json::from_value(outage["visitingSeconds"].clone()).ok()?,
        other_gap_seconds: outage["longestOtherGapSeconds"].as_f64(),
        acknowledged: count(&clients["acknowledged"]),
        lost: count(&clients["lost"]),
        duplicated: count(&clients["duplicated"]),
        broken_invariants: broken
            .filter_map(|one| one["name"].as_str())
            .filter(|name| is_compared(name))
            .map(str::to_owned)
            .collect(),
        faults: serde_json::from_value(clients["faults"].clone()).ok()?,
        refusals: ["bySource", "byTarget", "byOpenTarget"].iter().map(|side| count(&refusals[side])).sum(),
        failed_attempts: count(&clients["failedAttempts"]),
        seconds: report["machine"]["seconds"].as_f64()?,
        observer_seconds: held.sum(),
        notes: report["error"]["cause"].as_str().map(str::to_owned).into_iter().collect(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_report_is_read_and_a_run_that_did_not_upgrade_is_none() {
        let report = json!({
            "machine": {"status": "SUCCEEDED", "seconds": 61.5}, "error": null,
            "outage": {"connectedSeconds": [0.4, 0.5], "visitingSeconds": [1.2], "longestOtherGapSeconds": 2.0,
                       "madeOf": [{"name": "fence", "seconds": 0.1}, {"name": OBSERVER, "seconds": 0.2}],
                       "refusals": {"bySource": 1, "byTarget": 2, "byOpenTarget": 0}},
            "clients": {"acknowledged": 9, "lost": 0, "duplicated": 0, "failedAttempts": 5, "faults": {"x": 2},
                        "invariants": [{"name": "sums", "holds": true}, {"name": "keys", "holds": false}]},
        });

        let seen = measured(&report).unwrap();

        assert_eq!((seen.connected_seconds.len(), seen.refusals, seen.fault_count(), seen.seconds), (2, 3, 2, 61.5));
        assert_eq!((seen.broken_invariants.len(), seen.observer_seconds), (1, 0.2));
        assert_eq!(measured(&json!({"machine": {"status": "FAILED"}})), None);
        assert_eq!(measured(&Value::Null), None);
    }
}
