//! Words that the machines' sources have beside Amazon States Language, each for what would otherwise be written many times.
//!
//! - `Phase: load` at a state begins a phase (`Machine::phase_of`).
//! - `Tell: { phase: load }` is a state that tells people this news.
//! - `Warm: [fence-source, ..]` is a state that starts these functions' processes, side by side.

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value, json};

use crate::machine::pascal;

type State = Map<String, Value>;

/// The states of a machine with each such word written out.
pub(crate) fn expand(states: &mut Map<String, Value>) -> Result<()> {
    for (name, state) in states.iter_mut() {
        let Some(state) = state.as_object_mut() else { continue };
        if let Some(news) = state.shift_remove("Tell") {
            tell(state, &news).with_context(|| format!("state {name}"))?;
        }
        if let Some(steps) = state.shift_remove("Warm") {
            warm(state, &steps).with_context(|| format!("state {name}"))?;
        }
    }
    Ok(())
}

/// Not waited for: what cannot be told neither fails nor holds up a run. What is assigned is so whether it could be told or
/// not.
fn tell(state: &mut State, news: &Value) -> Result<()> {
    let next = state.get("Next").context("it tells, and nothing follows")?.clone();
    let mut otherwise = json!({ "ErrorEquals": ["States.ALL"] });
    if let Some(assign) = state.get("Assign") {
        otherwise["Assign"] = assign.clone();
    }
    otherwise["Next"] = next;
    let once_more = json!({
        "ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 1, "BackoffRate": 1, "MaxDelaySeconds": 1,
        "JitterStrategy": "NONE"
    });
    put(
        state,
        json!({
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke",
            "Arguments": {
                "FunctionName": "${TellPeopleFunctionArn}",
                "InvocationType": "Event",
                "Payload": { "executionArn": "{% $run.executionArn %}", "run": "{% $run %}", "news": news }
            },
            "TimeoutSeconds": 5,
            "Retry": [once_more],
            "Catch": [otherwise]
        }),
    )
}

/// `Retry` is each call's own.
fn warm(state: &mut State, steps: &Value) -> Result<()> {
    let retry = state.shift_remove("Retry").context("it warms functions, and says nothing of Retry")?;
    let branch = |step: &Value| -> Result<Value> {
        let step = pascal(step.as_str().context("the name of a step")?);
        let call = json!({
            "Comment": "Starts the process and leaves.",
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke",
            "Arguments": { "FunctionName": format!("${{{step}FunctionArn}}"), "Payload": { "warmUp": true } },
            "TimeoutSeconds": 65,
            "Retry": retry,
            "End": true
        });
        let name = format!("Warm{step}");
        Ok(json!({ "StartAt": name, "States": { name.as_str(): call } }))
    };
    let branches = steps.as_array().context("a list of steps")?.iter().map(branch).collect::<Result<Vec<_>>>()?;
    put(state, json!({ "Type": "Parallel", "Branches": branches }))
}

fn put(state: &mut State, more: Value) -> Result<()> {
    for (key, value) in more.as_object().into_iter().flatten() {
        ensure!(!state.contains_key(key), "{key} follows from the word that it uses");
        state.insert(key.clone(), value.clone());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(state: Value) -> Result<Value> {
        let mut states = json!({ "A": state });
        expand(states.as_object_mut().expect("states"))?;
        Ok(states["A"].clone())
    }

    #[test]
    fn news_are_not_waited_for_and_fail_nothing() {
        let state =
            expanded(json!({ "Tell": { "phase": "load" }, "Assign": { "told": 1 }, "Next": "B" })).expect("a state");

        assert_eq!(state["Arguments"]["InvocationType"], "Event");
        assert_eq!(state["Arguments"]["Payload"]["news"], json!({ "phase": "load" }));
        assert_eq!(state["Catch"], json!([{ "ErrorEquals": ["States.ALL"], "Assign": { "told": 1 }, "Next": "B" }]));
        assert!(
            expanded(json!({ "Tell": "x" })).is_err()
                && expanded(json!({ "Tell": "x", "Next": "B", "Retry": [] })).is_err()
        );
    }

    #[test]
    fn functions_are_warmed_side_by_side() {
        let state = expanded(json!({ "Warm": ["open-target"], "Retry": ["r"], "Next": "B" })).expect("a state");

        assert_eq!(state["Branches"][0]["StartAt"], "WarmOpenTarget");
        assert_eq!(state["Branches"][0]["States"]["WarmOpenTarget"]["Retry"], json!(["r"]));
        assert_eq!(state.get("Retry"), None);
    }
}
