//! The interpreter's self-test: the features of the States Language that the machine uses, as small definitions with
//! the answers that the specification and AWS's developer guide expect (`interpreter/self-test/*.json`).

use std::path::Path;

use serde_json::Value;

use crate::support::{self, Fixture};

#[test]
fn the_language_features_that_the_machine_uses_do_as_on_aws() {
    support::run(async |fixture| {
        let cases = cases();
        assert!(cases.len() > 30, "the cases were found");

        let mut executions = Vec::new();
        for (name, case) in &cases {
            executions.push(fixture.run(name, &case["definition"], &case["input"]).await);
        }
        let mut wrong = Vec::new();
        for ((name, case), execution) in cases.iter().zip(&executions) {
            if let Err(reason) = check(fixture, execution, &case["expect"]).await {
                wrong.push(format!("{name}: {} {reason}", case["proves"]));
            }
        }

        assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    });
}

async fn check(fixture: &Fixture, execution: &str, expect: &Value) -> Result<(), String> {
    let ended = fixture.ended(execution).await;
    let history = fixture.history(execution).await;
    let output: Value =
        ended["output"].as_str().map(|output| serde_json::from_str(output).unwrap()).unwrap_or_default();
    let mut wrong = Vec::new();
    for member in ["status", "error", "cause"] {
        if !expect[member].is_null() && ended[member] != expect[member] {
            wrong.push(format!("{member} {} instead of {}", ended[member], expect[member]));
        }
    }
    if expect.get("output").is_some_and(|expected| *expected != output) {
        wrong.push(format!("output {output} instead of {}", expect["output"]));
    }
    for (function, times) in expect["calls"].as_object().into_iter().flatten() {
        let calls = history.iter().filter_map(|event| event["taskScheduledEventDetails"]["parameters"].as_str());
        let seen = calls.filter(|call| call.contains(&format!(":function:{function}\""))).count();
        if times.as_u64() != Some(seen as u64) {
            wrong.push(format!("{seen} calls of {function} instead of {times}"));
        }
    }
    let seconds = ended["stopDate"].as_f64().unwrap() - ended["startDate"].as_f64().unwrap();
    if let [Some(least), Some(most)] = [0, 1].map(|n| expect["seconds"][n].as_f64())
        && !(least..most).contains(&seconds)
    {
        wrong.push(format!("{seconds:.2} s instead of {least} to {most}"));
    }
    let last = history.last().map(|event| event["type"].clone()).unwrap_or_default();
    if !expect["lastEvent"].is_null() && last != expect["lastEvent"] {
        wrong.push(format!("last event {last}"));
    }
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(format!("{}; cause {}", wrong.join(", "), ended["cause"])),
    }
}

fn cases() -> Vec<(String, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../interpreter/self-test");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
        .into_iter()
        .map(|path| {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            (name, serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap())
        })
        .collect()
}
